import { readLeaf } from "../certificate/index.ts";
import type { ServedCertificate } from "../reconcile/index.ts";
import { listOf } from "./tls/served-finding.ts";

/** A certificate file that nginx's configuration names, and what is in it; undefined where that can't be read. */
export type ConfiguredFile = { readonly path: string; readonly fingerprint?: string | undefined };

// Each certificate file that the configuration names, and the first certificate in it. A path may be one in nginx.conf's folder.
const FILES_SCRIPT = String.raw`cd /etc/nginx; nginx -T 2>/dev/null |
  sed -nE "s/^[[:space:]]*ssl_certificate[[:space:]]+[\"']?([^[:space:]\"';]+)[\"']?[[:space:]]*;.*/\1/p" | awk '!seen[$0]++' |
  while read -r path; do echo "== $path"; sed "/END CERTIFICATE/q" "$path"; done`;

/** What lists these files for {@link readFiles}. */
export const FILES_COMMAND = ["/bin/sh", "-c", FILES_SCRIPT];

/** Reads what {@link FILES_COMMAND} has printed. Throws where a certificate in it is none. */
export function readFiles(stdout: string): readonly ConfiguredFile[] {
  return Array.from(stdout.matchAll(/^== (.+)\n?((?:(?!== ).*\n?)*)/gm), ([, path = "", text = ""]) => {
    return { path, fingerprint: text.includes("END CERTIFICATE") ? readLeaf(text).fingerprint : undefined };
  });
}

/**
 * Why nginx presents another certificate, as far as its files say: `isKept`: it reads ours, which hold the right one, and goes
 * on with what was in them before. Undefined: they don't say.
 */
export function explainByFiles(files: readonly ConfiguredFile[], service: string, certificate: ServedCertificate) {
  const liveFolder = `/live/${certificate.lineage}/`;
  const isOurs = ({ path }: ConfiguredFile) => path.includes(liveFolder);
  const holders = files.filter(({ fingerprint }) => fingerprint === certificate.fingerprint);
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
