import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "./docker-command.ts";
import { IMAGES } from "./images.ts";
import { poll } from "./poll.ts";

/** How a {@link Caddy} behaves. */
export type CaddyOptions = {
  /** The folder in which it finds proofs: it is the web server of all `names` too, since it looks at port 80 alone. */
  readonly webroot: string;
  /** Names that resolve, all to Caddy itself. */
  readonly names: readonly string[];
  /** Lifetime of a certificate in seconds, 300 at least (default 90 days). */
  readonly lifetimeS?: number;
};

/** A CA of other people's making than Pebble: Caddy's `acme_server`, in a container. */
export type Caddy = {
  /** The directory as this machine reaches it, on loopback. */
  readonly directoryUrl: string;
  /** The web server of the names, on loopback. */
  readonly webUrl: string;
  /** Its root: it signs Caddy's own HTTPS and what Caddy issues. */
  readonly caPem: string;
  /** What Caddy printed so far. */
  logs(): Promise<string>;
  stop(): Promise<void>;
};

const DIRECTORY_PORT = 14000;
const STORAGE = "/var/lib/test-caddy";
const DIRECTORY_PATH = "/acme/local/directory";

/** Starts Caddy. Throws with its log when it does not answer in time. */
export async function startCaddy(options: CaddyOptions): Promise<Caddy> {
  const name = `test-caddy-${randomBytes(4).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "caddy-"));
  const stop = async () => {
    await docker("rm", "-f", "-v", name).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(join(folder, "Caddyfile"), caddyfile(options.lifetimeS));
    // The official image may run as another user than the one who made the folders.
    await Promise.all([chmod(folder, 0o755), chmod(options.webroot, 0o755)]);
    const place = ["--name", name, "-p", `127.0.0.1::${DIRECTORY_PORT}`, "-p", "127.0.0.1::80"];
    const mounts = ["-v", `${folder}:/caddy:ro`, "-v", `${options.webroot}:/webroot:ro`];
    const hosts = options.names.flatMap((host) => ["--add-host", `${host}:127.0.0.1`]);
    await docker("run", "-d", ...place, ...mounts, ...hosts, IMAGES.caddy, ...CADDY_COMMAND);
    const caPem = await poll("Caddy has its root", () => docker("exec", name, "cat", CADDY_ROOT).catch(() => ""));
    return {
      directoryUrl: `https://${await docker("port", name, `${DIRECTORY_PORT}/tcp`)}${DIRECTORY_PATH}`,
      webUrl: `http://${await docker("port", name, "80/tcp")}`,
      caPem: `${caPem}\n`,
      logs: () => docker("logs", name),
      stop,
    };
  } catch (error) {
    const log = await docker("logs", name).catch(() => "");
    await stop();
    throw new Error(`Caddy did not start: ${String(error)} ${log}`, { cause: error });
  }
}

/** What Caddy is started with; `/caddy/Caddyfile` is {@link caddyfile}. */
export const CADDY_COMMAND = ["caddy", "run", "--config", "/caddy/Caddyfile", "--adapter", "caddyfile"] as const;

/** Where Caddy's root is, in its container. */
export const CADDY_ROOT = `${STORAGE}/pki/authorities/local/root.crt`;

/**
 * Caddy as a CA at `https://caddy:14000/acme/local/directory` (or localhost), and as the web server that serves `/webroot` on
 * port 80, which is where its CA looks.
 */
export function caddyfile(lifetimeS = 90 * 24 * 3600): string {
  // Without a server name in the hello, which is how clients come to an address, the certificate of the address is wanted.
  return `{
	admin off
	auto_https disable_redirects
	skip_install_trust
	default_sni 127.0.0.1
	storage file_system ${STORAGE}
	pki {
		ca local {
			intermediate_lifetime 365d
		}
	}
}
https://localhost:${DIRECTORY_PORT}, https://127.0.0.1:${DIRECTORY_PORT}, https://caddy:${DIRECTORY_PORT} {
	tls internal
	acme_server {
		challenges http-01
		lifetime ${lifetimeS}s
	}
}
http://:80 {
	root * /webroot
	file_server
}
`;
}
