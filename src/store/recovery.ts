import type { Recovery } from "../reconcile/index.ts";
import { readTexts } from "./archive.ts";
import { parseGeneration, type Generation } from "./tree-paths.ts";
import { publish, takeBack, type Tree } from "./tree.ts";
import { judgePair } from "./version-finding.ts";

/** What one look at the tree's folders shows of a lineage. */
export type Traces = {
  readonly lineage: string;
  readonly hasPreparedConf: boolean;
  readonly hasNextLink: boolean;
  readonly hasAdopted: boolean;
  readonly generations: readonly Generation[];
  /** It is asked for, whether or not there is a conf. */
  readonly isWanted: boolean;
};

/** Every lineage that is wanted, or of which there is a trace in `renewal` or `live`, by name. Throws system errors. */
export async function findTraces({ paths, files, confs }: Tree, wanted: readonly string[]): Promise<Traces[]> {
  const { confirmed, prepared } = await confs.lineages();
  const entries = await files.list(paths.live);
  const leftBy = (suffix: RegExp) => entries.flatMap((entry) => suffix.exec(entry)?.[1] ?? []);
  const [next, adopted] = [leftBy(/^\.(.+)\.next$/), leftBy(/^\.(.+)\.adopted$/)];
  const all = entries.flatMap((entry) => parseGeneration(entry) ?? []);
  const generations = Map.groupBy(all, (one) => one.lineage);
  const shown = entries.filter((entry) => !entry.startsWith(".") && entry !== "README");
  const names = new Set([...confirmed, ...prepared, ...shown, ...generations.keys(), ...next, ...adopted, ...wanted]);
  return [...names].sort().map((lineage) => ({
    lineage,
    hasPreparedConf: prepared.includes(lineage),
    hasNextLink: next.includes(lineage),
    hasAdopted: adopted.includes(lineage),
    generations: generations.get(lineage) ?? [],
    isWanted: wanted.includes(lineage),
  }));
}

/**
 * Mends one lineage after a death at any line of an install, or of certbot's own work: finishes what was complete, takes
 * back what wasn't. Says what it did. May run twice. Throws system errors.
 */
export async function recoverLineage(tree: Tree, traces: Traces): Promise<Recovery[]> {
  const { lineage } = traces;
  const did: string[] = [];
  if (traces.hasNextLink) await tree.live.removeNextLink(lineage);
  if (traces.hasAdopted && (await tree.live.putBackAdopted(lineage))) {
    did.push("put back live, which was being converted");
  }
  did.push(...(await finishInstall(tree, traces)));
  if (traces.hasPreparedConf && (await tree.confs.commitLeftover(lineage))) {
    did.push("recorded the settings of the version that is shown");
  }
  did.push(...(await mendLive(tree, traces)));
  if (traces.hasAdopted) await tree.live.removeAdopted(lineage);
  return did.map((one) => ({ lineage, did: one }));
}

// A generation above what is shown is an install that died: it is made before the archive's files, and shown after them.
async function finishInstall(tree: Tree, { lineage, generations }: Traces): Promise<string[]> {
  const { target } = await tree.live.shown(lineage);
  if (generations.every(({ folder }) => folder === target)) return [];
  const { finding } = await tree.live.read(lineage);
  const named = parseGeneration(target ?? "")?.version ?? 0;
  const current = Math.max(named, finding.kind === "good" ? finding.version.version : 0);
  const staged = generations.filter((one) => one.version > current).sort((a, b) => b.version - a.version);
  for (const { folder, version } of staged) {
    const complete = await tree.archive.read(lineage, version);
    if (complete.kind === "good") {
      await publish(tree, lineage, version);
      return [`published version ${version}, which was complete but not yet shown`];
    }
    if (complete.unreadable !== undefined) continue;
    await takeBack(tree, lineage, { folder, version, hasFiles: true });
    return [`removed version ${version}, which was never complete`];
  }
  return [];
}

async function mendLive(tree: Tree, { lineage, isWanted }: Traces): Promise<string[]> {
  const { finding, holdsCopies } = await tree.live.read(lineage);
  if (finding.kind === "good" || finding.unreadable !== undefined) return [];
  const hasConf = await tree.confs.has(lineage);
  if (!hasConf && (await tree.live.removeIfEmpty(lineage))) return ["removed the empty folder of a deleted lineage"];
  if (!hasConf && !isWanted) return [];
  if (holdsCopies) {
    const adopted = await adoptCopies(tree, lineage);
    if (adopted !== undefined) return [`live held copies instead of links; they are version ${adopted} now`];
  }
  const good = await tree.archive.newestGood(lineage);
  if (!good) return [];
  await publish(tree, lineage, good.version);
  return [`live was broken (${finding.reason}); it shows version ${good.version}, the newest good one`];
}

// A copy of the tree that followed links leaves files in live. What they hold is being served: it must not get lost.
async function adoptCopies(tree: Tree, lineage: string): Promise<number | undefined> {
  const { paths, files, archive } = tree;
  const texts = await readTexts(files, (kind) => `${paths.liveOf(lineage)}/${kind}.pem`);
  const numbers = await archive.numbers(lineage);
  const copied = judgePair((numbers[0] ?? 0) + 1, texts);
  // What no CA has issued stands there for a server to start with.
  if (copied.kind !== "good" || copied.version.leaf.isSelfSigned) return undefined;
  for (const number of numbers) {
    const known = await archive.read(lineage, number);
    if (known.kind !== "good" || known.version.leaf.fingerprint !== copied.version.leaf.fingerprint) continue;
    await publish(tree, lineage, number, { isArchived: true });
    return number;
  }
  await archive.write(lineage, copied.version.version, texts);
  await publish(tree, lineage, copied.version.version, { isArchived: true });
  return copied.version.version;
}
