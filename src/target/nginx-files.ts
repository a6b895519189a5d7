import type { ServedCertificate } from "../reconcile/index.ts";
import { listOf } from "./tls/served-finding.ts";

/** A certificate file that nginx's configuration names, and what is in it, as the beginning of its SHA-256; undefined where that can't be read. */
export type ConfiguredFile = { readonly path: string; readonly fingerprint?: string | undefined };

/** What nginx's container says of why it serves something else. */
export type NginxSays = {
  readonly files: readonly ConfiguredFile[];
  /** What our step has against a lineage's pair. */
  readonly problems: ReadonlyMap<string, string>;
  /** `name port` of each server of the operator's that stands before ours. */
  readonly ownServers: readonly string[];
};

/** Where it wasn't asked, or said nothing. */
export const NOTHING_SAID: NginxSays = { files: [], problems: new Map(), ownServers: [] };

// What our step has written down; each certificate file that the configuration names, and the first certificate in it: half of its
// fingerprint, since of an output its last 64 KiB are kept. A path may be one in nginx.conf's folder.
const SAYS_SCRIPT = String.raw`cd /etc/nginx; sed "s/^/!! /" sidecar/problems 2>/dev/null; sed "s/^/++ /" sidecar/own-servers 2>/dev/null
nginx -T 2>/dev/null |
  sed -nE "s/^[[:space:]]*ssl_certificate[[:space:]]+[\"']?([^[:space:]\"';]+)[\"']?[[:space:]]*;.*/\1/p" | awk '!seen[$0]++' |
  while read -r path; do
    der() { sed -n "/BEGIN CERT/,/END CERT/p;/END CERT/q" "$path" | sed "/-----/d" | tr -d "\r" | base64 -d; }
    if sum=$(der | sha256sum | cut -c 1-32) && [ -s "$path" ]; then echo "== $path $sum"; else echo "== $path"; fi
  done 2>/dev/null`;

/** What asks it for {@link readSays}. */
export const SAYS_COMMAND = ["/bin/sh", "-c", SAYS_SCRIPT];

/** Reads what {@link SAYS_COMMAND} has printed. */
export function readSays(stdout: string): NginxSays {
  const problems = [...stdout.matchAll(/^!! (\S+) (.+)$/gm)].map(
    ([, lineage = "", words = ""]) => [lineage, words] as const,
  );
  const files = [...stdout.matchAll(/^== (\S+)(?: ([0-9a-f]{32}))?$/gm)].map(([, path = "", fingerprint]) => ({
    path,
    fingerprint,
  }));
  const ownServers = [...stdout.matchAll(/^\+\+ (\S+ \d+)$/gm)].map(([, own = ""]) => own);
  return { files, problems: new Map(problems), ownServers };
}

type Asked = { readonly service: string; readonly port: number };

/**
 * Why nginx presents another certificate, as far as it says. `isKept`: it reads our files, which hold the right one, and goes on
 * with what was in them before. Undefined: that tells nothing.
 */
export function explainBySays(says: NginxSays, { service, port }: Asked, certificate: ServedCertificate) {
  const { files, problems, ownServers } = says;
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
  return {
    because: `: its configuration reads ${listOf(files.map(({ path }) => path))}, not /etc/letsencrypt${liveFolder}`,
    remedy: `Run docker compose up -d --force-recreate ${service}, which makes it choose the path anew; if it stays, check that it mounts the same /etc/letsencrypt as this container.`,
  };
}

function plainHex(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
