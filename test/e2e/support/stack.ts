import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { docker } from "../../support/docker-command.ts";
import { IMAGES } from "../../support/images.ts";

const exec = promisify(execFile);
const ROOT = new URL("../../..", import.meta.url).pathname;

/** How a stack begins. */
export type StackOptions = {
  /** `.env`, the demo CA's lines aside. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of docs/examples, laid over the project's own as it says. */
  readonly example?: string;
  /** A compose file laid over all others. */
  readonly override?: string;
  /** Lifetime of the demo CA's certificates in seconds (default 90 days). */
  readonly lifetimeS?: number;
  /** Per cent of valid authorizations that a new order finds again (default 0). */
  readonly authorizationReusePercent?: number;
  /** Per cent of requests answered badNonce (default 15). */
  readonly nonceRejectPercent?: number;
};

/** What a command in a container gave. */
export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** The project's own compose stack in a folder and with a project name of its own. */
export class Stack {
  readonly folder: string;
  readonly project: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly #files: string[];

  constructor(place: {
    folder: string;
    project: string;
    httpPort: number;
    httpsPort: number;
    files: readonly string[];
  }) {
    this.folder = place.folder;
    this.project = place.project;
    this.httpPort = place.httpPort;
    this.httpsPort = place.httpsPort;
    this.#files = [...place.files];
  }

  /** Lays a compose file over the project's own, in place of the one before; the next command reads it. */
  async layOver(override: string): Promise<void> {
    const file = join(this.folder, "override.yml");
    await writeFile(file, override);
    if (!this.#files.includes(file)) this.#files.push(file);
  }

  /** Runs docker compose on this stack, with the profiles certbot and demo. Never throws for an exit code. */
  async compose(...args: readonly string[]): Promise<Outcome> {
    return this.plainCompose("--profile", "certbot", "--profile", "demo", ...args);
  }

  /** As {@link compose} without a profile, so for nginx alone. */
  async plainCompose(...args: readonly string[]): Promise<Outcome> {
    const files = this.#files.flatMap((file) => ["-f", file]);
    const place = ["--project-directory", this.folder, "-p", this.project];
    return this.#run("docker", ["compose", ...files, ...place, ...args]);
  }

  /** As {@link compose}, and throws with everything that was printed unless it succeeds. */
  async composeOk(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.compose(...args);
    if (code !== 0) throw new Error(`docker compose ${args.join(" ")}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /**
   * Brings services up, all without `services`. The demo CA comes first, until it listens: a sidecar that finds none waits a
   * minute, and out there the CA is older than the stack.
   */
  async up(...services: readonly string[]): Promise<void> {
    if (services.length === 0 || services.includes("pebble")) {
      await this.composeOk("up", "-d", "--no-build", "pebble");
      const isListening = async () => (await this.logs("pebble")).includes("ACME directory available at") || undefined;
      await until("the demo CA listens", isListening);
    }
    await this.composeOk("up", "-d", "--no-build", ...services);
  }

  /** Runs a command in the sidecar as users do: `docker compose exec -T certbot …`. */
  certbot(...command: readonly string[]): Promise<Outcome> {
    return this.compose("exec", "-T", "certbot", ...command);
  }

  /** Runs a line of shell on this machine, for what needs redirections. */
  shell(line: string): Promise<Outcome> {
    return this.#run("sh", ["-c", line]);
  }

  /** The container id of a service's first replica, running or not. */
  async container(service: string): Promise<string> {
    const [id] = (await this.composeOk("ps", "-a", "-q", service)).trim().split("\n");
    if (!id) throw new Error(`${service} has no container`);
    return id;
  }

  /** One field of `docker inspect`, as a Go template gives it. */
  async inspect(service: string, template: string): Promise<string> {
    return docker("inspect", "-f", template, await this.container(service));
  }

  /** All that a service has printed up to now. */
  async logs(service: string): Promise<string> {
    const mark = `read until ${randomBytes(8).toString("hex")}`;
    const isMarked = await this.#mark(service, mark);
    return until(`Docker has copied what ${service} has printed`, async () => {
      const { stdout, stderr } = await this.compose("logs", "--no-color", "--no-log-prefix", service);
      const lines = (stdout + stderr).split("\n");
      if (isMarked && lines.filter((line) => line === mark).length < 2) return undefined;
      return lines.filter((line) => !line.startsWith("read until ")).join("\n");
    });
  }

  // Docker copies what a container prints some moments later, on a busy machine after the command that was waited for. What is sent
  // behind it on both outputs comes after it. Nothing is sent where nothing runs, or no shell is.
  async #mark(service: string, mark: string): Promise<boolean> {
    const labels = [`com.docker.compose.project=${this.project}`, `com.docker.compose.service=${service}`];
    const filters = labels.flatMap((label) => ["--filter", `label=${label}`]);
    const [id] = (await docker("ps", "-q", "--filter", "status=running", ...filters)).split("\n");
    if (!id) return false;
    const print = `for output in 1 2; do echo "${mark}" >/proc/1/fd/$output; done`;
    return docker("exec", id, "sh", "-c", print).then(
      () => true,
      () => false,
    );
  }

  /** The sidecar's log lines so far, those that are JSON. */
  async events(): Promise<Record<string, unknown>[]> {
    const lines = (await this.logs("certbot")).split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line): Record<string, unknown> => JSON.parse(line));
  }

  /** A path in the stack's folder, below `volumes/certbot/conf`. */
  conf(...parts: readonly string[]): string {
    return join(this.folder, "volumes/certbot/conf", ...parts);
  }

  readConf(...parts: readonly string[]): Promise<string> {
    return readFile(this.conf(...parts), "utf8");
  }

  /** Orders that the demo CA has taken since it started; a request that it answered badNonce is none. */
  async orders(): Promise<number> {
    return ((await this.logs("pebble")).match(/Added order /g) ?? []).length;
  }

  /** Takes everything away, whatever state it is in. */
  async remove(): Promise<void> {
    await this.compose("down", "-v", "--remove-orphans", "-t", "2");
    await rm(this.folder, { recursive: true, force: true });
  }

  async #run(file: string, args: readonly string[]): Promise<Outcome> {
    try {
      const { stdout, stderr } = await exec(file, args, { maxBuffer: 64 * 1024 * 1024, env: this.#environment() });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
      if (typeof code !== "number") throw error;
      return { code, stdout: stdout ?? "", stderr: stderr ?? "" };
    }
  }

  // What compose itself substitutes; the developer's own CERTBOT_* must not leak in.
  #environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(CERTBOT|NGINX|EXPOSE)_/.test(name));
    return {
      ...Object.fromEntries(inherited),
      NGINX_IMAGE: IMAGES.nginx,
      PEBBLE_IMAGE: IMAGES.pebble,
      HAPROXY_IMAGE: IMAGES.haproxy,
      // Debian's trixie, whatever is in it besides.
      DEBIAN_IMAGE: IMAGES.node,
    };
  }
}

/** The image under test; scripts/test builds it. */
export const SIDECAR_IMAGE = process.env["CERT_SIDECAR_IMAGE"] ?? "cert-sidecar:test";

/** Two lines that a user writes, and those that point the sidecar at the demo CA. */
const DEMO_ENV = {
  CERTBOT_DOMAIN: "demo.test",
  CERTBOT_EMAIL: "admin@demo.test",
  CERTBOT_SERVER: "https://pebble:14000/dir",
  CERTBOT_CA_BUNDLE: "/etc/letsencrypt/demo-ca.pem",
};

/** Lays out a stack in a folder of its own; nothing is started. An empty value in `env` leaves a setting out. */
export async function createStack(options: StackOptions = {}): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), "cert-sidecar-"));
  const project = `cs${randomBytes(4).toString("hex")}`;
  const [httpPort, httpsPort] = await freePorts();
  await cp(join(ROOT, "nginx"), join(folder, "nginx"), { recursive: true });
  await mkdir(join(folder, "volumes/certbot"), { recursive: true });
  await exec(join(ROOT, "scripts/demo-ca"), [folder, String(options.lifetimeS ?? 90 * 24 * 3600)]);
  const env = {
    ...DEMO_ENV,
    EXPOSE_NGINX_PORT: String(httpPort),
    EXPOSE_NGINX_SSL_PORT: String(httpsPort),
    CERT_SIDECAR_IMAGE: SIDECAR_IMAGE,
    PEBBLE_AUTHZREUSE: String(options.authorizationReusePercent ?? 0),
    PEBBLE_WFE_NONCEREJECT: String(options.nonceRejectPercent ?? 15),
    ...options.env,
  };
  await writeFile(join(folder, ".env"), "");
  for (const [name, value] of Object.entries(env))
    if (value !== "") await appendFile(join(folder, ".env"), `${name}=${value}\n`);
  const files = [join(ROOT, "docker-compose.yml")];
  if (options.example !== undefined) {
    await cp(join(ROOT, "docs/examples", options.example), join(folder, options.example), { recursive: true });
    files.push(join(folder, options.example, "compose.yml"));
  }
  const stack = new Stack({ folder, project, httpPort, httpsPort, files });
  if (options.override !== undefined) await stack.layOver(options.override);
  return stack;
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      return typeof address === "object" && address ? address.port : 0;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0] ?? 0, ports[1] ?? 0];
}

/** Tries until `attempt` gives something other than undefined; throws with the last failure when time is up. */
export async function until<T>(what: string, attempt: () => Promise<T | undefined>, timeoutMs = 120_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown = "nothing yet";
  for (;;) {
    try {
      const found = await attempt();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}; last: ${String(last)}`);
    await sleep(100);
  }
}
