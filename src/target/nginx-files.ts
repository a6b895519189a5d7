import type { ServedCertificate } from "../reconcile/index.ts";
import { withDeadline } from "./docker/deadline.ts";
import type { ExecResult } from "./docker/exec.ts";
import type { Place, TargetTools } from "./kind.ts";
import { readConfiguration, type NginxServer } from "./nginx-configuration.ts";
import { listOf } from "./tls/served-finding.ts";

/** A certificate file that nginx's configuration names, and what is in it, as the beginning of its SHA-256; undefined where that can't be read. */
export type ConfiguredFile = { readonly path: string; readonly fingerprint?: string | undefined };

/** What nginx's container says of how it serves, and of why it serves something else. */
export type NginxSays = {
  /** All servers; undefined where nginx refuses its configuration, or wasn't asked. */
  readonly servers?: readonly NginxServer[] | undefined;
  /** Asked for only where there is something to explain. */
  readonly files: readonly ConfiguredFile[];
  /** What our step has against a lineage's pair. */
  readonly problems: ReadonlyMap<string, string>;
  /** `name port` of each server of the operator's that stands before ours. */
  readonly ownServers: readonly string[];
};

/** Where it wasn't asked, or said nothing. */
export const NOTHING_SAID: NginxSays = { files: [], problems: new Map(), ownServers: [] };

/** Prints what our step has written down: for {@link readSays}, before nginx's whole configuration. */
export const NOTES_SCRIPT = String.raw`cd /etc/nginx/sidecar && { sed "s/^/!! /" problems; sed "s/^/++ /" own-servers; } 2>/dev/null`;

/** What asks it for {@link readSays}. */
export const SAYS_COMMAND = ["/bin/sh", "-c", `${NOTES_SCRIPT}\nexec nginx -T 2>/dev/null`];

// The first certificate in each: half of its fingerprint, since of an output its last 64 KiB are kept.
const SUMS_SCRIPT = String.raw`for path; do
  der() { sed -n "/BEGIN CERT/,/END CERT/p;/END CERT/q" "$path" | sed "/-----/d" | tr -d "\r" | base64 -d; }
  if sum=$(der | sha256sum | cut -c 1-32) && [ -s "$path" ]; then echo "$sum $path"; else echo "- $path"; fi
done 2>/dev/null`;

const MOST_FILES = 500;

/** What asks it for {@link readFiles}; undefined where there is no file to ask for. */
export function filesCommand({ servers = [] }: NginxSays): readonly string[] | undefined {
  const paths = new Set(servers.flatMap(({ certificates }) => certificates));
  return paths.size === 0 ? undefined : ["/bin/sh", "-c", SUMS_SCRIPT, "sums", ...[...paths].slice(0, MOST_FILES)];
}

/** Reads what {@link filesCommand} has printed. */
export function readFiles(stdout: string): ConfiguredFile[] {
  return [...stdout.matchAll(/^(?:([0-9a-f]{32})|-) (.+)$/gm)].map(([, fingerprint, path = ""]) => ({
    path,
    fingerprint,
  }));
}

/** Reads what {@link SAYS_COMMAND} has printed. */
export function readSays(stdout: string): NginxSays {
  const at = stdout.search(/^# configuration file /m);
  const notes = at === -1 ? stdout : stdout.slice(0, at);
  const problems = [...notes.matchAll(/^!! (\S+) (.+)$/gm)].map(
    ([, lineage = "", words = ""]) => [lineage, words] as const,
  );
  const ownServers = [...notes.matchAll(/^\+\+ (\S+ \d+)$/gm)].map(([, own = ""]) => own);
  return {
    servers: at === -1 ? undefined : readConfiguration(stdout.slice(at)),
    files: [],
    problems: new Map(problems),
    ownServers,
  };
}

// A test of the configuration that waits for a name server must not hold up whoever asks.
const ANSWER_WITHIN_MS = 6000;

type Question = { readonly argv: readonly string[]; readonly signal: AbortSignal };

/** What a command in nginx's container prints; nothing where it fails, or is late. Throws only the signal's reason. */
export async function askNginx(
  place: Place,
  { clock, exec }: Pick<TargetTools, "clock" | "exec">,
  { argv, signal }: Question,
) {
  const expired = () => new Error("no answer in time");
  try {
    const ask = (own: AbortSignal) => exec(place, argv, own);
    return wholeOf(await withDeadline({ clock, signal, ms: ANSWER_WITHIN_MS, expired }, ask));
  } catch {
    signal.throwIfAborted();
    return "";
  }
}

/** All that a command has printed; nothing where that was too much. */
export function wholeOf({ stdout, whole }: Pick<ExecResult, "stdout" | "whole">): string {
  return whole ?? (stdout.startsWith("…") ? "" : stdout);
}

type Asked = { readonly service: string; readonly port: number };

/**
 * Why nginx presents another certificate, as far as it says. `isKept`: it reads our files, which hold the right one, and goes on
 * with what was in them before. Undefined: that tells nothing.
 */
export function explainBySays(says: NginxSays, { service, port }: Asked, certificate: ServedCertificate) {
  const { files, problems, ownServers, servers = [] } = says;
  const own = certificate.identifiers.find(({ value }) => ownServers.includes(`${value} ${port}`));
  if (own !== undefined)
    return {
      because: `: a server of your own has the name ${own.value} on port ${port}, so ours is left out`,
      remedy: `Let that server read fullchain.pem and privkey.pem of /etc/letsencrypt/live/${certificate.lineage}/, or take the name out of it; then run update-cert.`,
    };
  const problem = problems.get(certificate.lineage);
  if (problem !== undefined)
    return {
      because: `: ${problem}`,
      remedy: `Mend that for the service ${service}, which must mount the same /etc/letsencrypt as this container and read it as root; then run update-cert.`,
    };
  const liveFolder = `/live/${certificate.lineage}/`;
  const wanted = plainHex(certificate.fingerprint);
  const isOurs = ({ path }: ConfiguredFile) => path.includes(liveFolder);
  const holders = files.filter(({ fingerprint }) => fingerprint && wanted.startsWith(fingerprint));
  if (files.length === 0 || files.some(isOurs)) return holders.some(isOurs) ? ({ isKept: true } as const) : undefined;
  const [kept] = holders;
  if (kept)
    return {
      because: `, though ${kept.path} holds the new one: nginx goes on with what it had read from a file of the same modification time and inode`,
      remedy: `Run touch on ${kept.path} and its key where they are stored, then docker compose exec ${service} nginx -s reload; from now on write new files beside the old ones and rename them.`,
    };
  const unknown = servers.some(({ hasUnknown }) => hasUnknown) ? " (and what its variables name)" : "";
  return {
    because: `: its configuration reads ${listOf(files.map(({ path }) => path))}${unknown}, not /etc/letsencrypt${liveFolder}`,
    remedy: `Run docker compose up -d --force-recreate ${service}, which makes it choose the path anew; if it stays, check that it mounts the same /etc/letsencrypt as this container.`,
  };
}

function plainHex(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
