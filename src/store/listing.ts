import { hasErrno, mapLimited, wordsOf } from "../certificate/index.ts";
import type { StoredLineage, StrayFile } from "../reconcile/index.ts";
import { withoutAdded } from "./added-names.ts";
import { fromSystemError, StoreError } from "./errors.ts";
import { isSafeName, unsafeName } from "./tree-paths.ts";
import type { Tree } from "./tree.ts";
import type { BrokenVersion } from "./version-finding.ts";

// Open files are limited; the thread pool that serves them has four threads anyway.
export const LINEAGES_AT_ONCE = 16;

/** What there is in a tree: the lineages, and what stands in `renewal` as if it were one's conf; both by name. */
export type Listing = { readonly lineages: readonly StoredLineage[]; readonly strays: readonly StrayFile[] };

/** Reads the tree as it is. Throws system errors of its folders alone. */
export async function readListing(tree: Tree): Promise<Listing> {
  const [{ confirmed }, shown] = await Promise.all([tree.confs.lineages(), tree.live.lineages()]);
  const bare = shown.filter((name) => !confirmed.includes(name) && isSafeName(name));
  const found = [
    ...(await mapLimited(confirmed, LINEAGES_AT_ONCE, (name) => describe(tree, name, shown.includes(name)))),
    ...(await mapLimited(bare, LINEAGES_AT_ONCE, (name) => describeBare(tree, name))),
  ];
  return {
    lineages: found.flatMap((one) => (one && "name" in one ? [one] : [])).sort((a, b) => (a.name < b.name ? -1 : 1)),
    strays: found.flatMap((one) => (one && "path" in one ? [one] : [])),
  };
}

async function describe(tree: Tree, name: string, isShown: boolean): Promise<StoredLineage | StrayFile> {
  const { live, confs, challenges, paths } = tree;
  const isThere = isShown || (await tree.files.list(paths.archiveOf(name)).catch(() => [])).length > 0;
  const path = paths.conf(name);
  if (!isSafeName(name)) return isThere ? { name, problem: unsafeName(name) } : strayFile(path, unsafeName(name));
  const { finding } = await live.read(name);
  const current = finding.kind === "good" ? finding.version : undefined;
  const problem =
    finding.kind === "broken" ? problemOf(name, { path: paths.liveOf(name), finding, isThere }) : undefined;
  try {
    const { settings, addedNames, shows = name } = await confs.read(name, challenges);
    if (!isThere && shows !== name) return strayFile(path, `it is a copy of ${shows}'s`);
    return { name, settings, current: current && withoutAdded(current, addedNames), problem };
  } catch (thrown) {
    if (!isThere && isForGood(thrown)) return strayFile(path, thrown);
    return { name, current, problem: unreadableConf(path, thrown) };
  }
}

// A pair that no CA has issued is what people's scripts put there for nginx to start with.
async function describeBare({ live }: Tree, name: string): Promise<StoredLineage | undefined> {
  const { finding } = await live.read(name);
  if (finding.kind === "broken" || finding.version.leaf.isSelfSigned) return undefined;
  return { name, current: finding.version };
}

type Broken = { readonly path: string; readonly finding: BrokenVersion; readonly isThere: boolean };

function problemOf(lineage: string, { path, finding: { reason, unreadable }, isThere }: Broken): StoreError {
  if (unreadable !== undefined) return fromSystemError(`read the certificate ${lineage}`, path, unreadable);
  return new StoreError({
    code: "LINEAGE_BROKEN", // A certificate's files are missing, unreadable or don't belong together.
    message: `can't use the certificate in live/${lineage}: ${reason}`,
    remedy: isThere
      ? `Restart the sidecar, which shows the newest good version in archive/${lineage} again, or run update-cert to order one.`
      : `Put its files back, or name it in CERTBOT_DOMAIN; to end it delete renewal/${lineage}.conf.`,
  });
}

function unreadableConf(path: string, cause: unknown): StoreError {
  const remedy = isSystemError(cause)
    ? fromSystemError("read it", path, cause).remedy
    : "Mend that line, or name the certificate in CERTBOT_DOMAIN: its next issue writes the file anew.";
  return new StoreError({
    code: "RENEWAL_CONF_UNREADABLE", // A `renewal/<name>.conf` can't be read.
    message: `can't read ${path}: ${wordsOf(cause)}`,
    remedy,
    cause,
  });
}

function isSystemError(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown;
}

// Of a disk that fails, or that we may not read, nothing is known.
function isForGood(thrown: unknown): boolean {
  return !isSystemError(thrown) || hasErrno(thrown, "ENOENT", "EISDIR", "ELOOP", "EFBIG");
}

function strayFile(path: string, why: unknown): StrayFile {
  return { path, reason: typeof why === "string" ? why : wordsOf(why), remedy: `Rename or delete ${path}.` };
}
