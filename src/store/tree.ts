import type { ChallengeConfs } from "../ports/index.ts";
import { Archive } from "./archive.ts";
import { ConfFiles } from "./conf-files.ts";
import { DurableFiles, type FileSystem } from "./durable-files.ts";
import { LiveFolder } from "./live-folder.ts";
import { treePaths, type TreePaths } from "./tree-paths.ts";

/** The parts of certbot's tree that belong together. */
export type Tree = {
  readonly paths: TreePaths;
  readonly files: DurableFiles;
  readonly archive: Archive;
  readonly live: LiveFolder;
  readonly confs: ConfFiles;
  readonly challenges: ChallengeConfs;
};

/** The tree under `root`; touches nothing yet. */
export function openTree(root: string, fs: FileSystem, challenges: ChallengeConfs): Tree {
  const paths = treePaths(root);
  const files = new DurableFiles(root, fs);
  return {
    paths,
    files,
    archive: new Archive(paths, files),
    live: new LiveFolder(paths, files),
    confs: new ConfFiles(paths, files),
    challenges,
  };
}

/**
 * Shows a version that is in the archive: a generation of its own, one rename, then older generations go. `isArchived`:
 * a key that stands as a file in certbot's real folder is in the archive too. Throws system errors.
 */
export async function publish(
  { live }: Tree,
  lineage: string,
  version: number,
  { isArchived = false } = {},
): Promise<void> {
  const folder = await live.stage(lineage, version);
  try {
    await live.switchTo(lineage, folder);
  } catch (thrown) {
    if ((await live.shown(lineage)).target !== folder) await live.discard(folder);
    throw thrown;
  }
  await live.removeAdopted(lineage, { isArchived });
  await live.tidy(lineage, version);
}

/** An install under way. */
export type Install = {
  /** Its generation. */
  readonly folder: string;
  readonly version: number;
  /** Files of that number may be a foreign certbot's while ours haven't all been written. */
  readonly hasFiles: boolean;
};

/** Removes every trace of an install that can't be finished; the generation last, since recovery knows it by that. */
export async function takeBack(
  { archive, confs, live }: Tree,
  lineage: string,
  { folder, version, hasFiles }: Install,
): Promise<void> {
  if (hasFiles) await archive.discard(lineage, version);
  await confs.discardPrepared(lineage);
  await live.discard(folder);
}
