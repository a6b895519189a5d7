import { basename, join } from "node:path";
import { hasErrno } from "../certificate/index.ts";
import type { DurableFiles } from "./durable-files.ts";
import { translated, unfitFor } from "./errors.ts";
import type { TreePaths } from "./tree-paths.ts";
import type { Tree } from "./tree.ts";

const TRIAL_NAME = /^\..+\.trial$/;

// What names of this kind need, the first one has shown.
const PLAIN_NAME = /^[a-z0-9.-]{1,64}$/;

/**
 * Gives what does, in the folders of a lineage, all that an install asks of the file system: names, modes, links, renames over
 * what is there, all of it synced. It leaves nothing behind, and does it once for all plain names. Throws StoreError.
 */
export function createFileSystemTrial({ paths, files }: Tree): (lineage: string) => Promise<void> {
  const passed = new Set<string>();
  return async (lineage) => {
    const key = PLAIN_NAME.test(lineage) ? "plain" : lineage;
    await refuseStrays(lineage, paths, files);
    if (passed.has(key)) return;
    const there = await files.list(paths.root);
    // Each may be a mount of its own.
    const folders = [paths.live, paths.archive, paths.renewal].map((folder) =>
      there.includes(basename(folder)) ? folder : paths.root,
    );
    for (const folder of new Set(folders)) {
      const doing = `keep the files of ${lineage} in ${folder}, so nothing was ordered`;
      await translated(doing, folder, () => tryIn(files, folder, lineage).catch(namesRefused(doing, folder)));
    }
    passed.add(key);
  };
}

// A folder where the conf is to be; a file, or a link that leads nowhere, where folders are.
async function refuseStrays(lineage: string, paths: TreePaths, files: DurableFiles): Promise<void> {
  const doing = `keep the files of ${lineage}, so nothing was ordered`;
  const conf = paths.conf(lineage);
  await translated(doing, conf, () => files.readText(conf));
  for (const folder of [paths.live, paths.archive, paths.renewal, paths.archiveOf(lineage)]) {
    await translated(doing, folder, async () => {
      const isThere = await files.list(folder).then((entries) => entries.length > 0);
      if (!isThere && (await files.readLink(folder)) !== undefined) await files.fs.stat(folder);
    });
  }
}

/** Removes what trials that died have left in these folders. Throws system errors. */
export async function removeTrials(files: DurableFiles, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const left = (await files.list(folder)).filter((entry) => TRIAL_NAME.test(entry));
    for (const entry of left) await files.fs.rm(join(folder, entry), { recursive: true, force: true });
  }
}

async function tryIn(files: DurableFiles, folder: string, lineage: string): Promise<void> {
  const trial = join(folder, `.${lineage}.trial`);
  const remove = () => files.fs.rm(trial, { recursive: true, force: true });
  await remove();
  try {
    await files.ensureFolder(trial, 0o700);
    // With what `replace` adds it is as long as any name that we put around a lineage's.
    const file = join(trial, `.${lineage}.conf.unreadable`);
    await files.create(file, lineage, { mode: 0o600 });
    await files.replace(file, lineage, { mode: 0o644 });
    const [shown, next] = [join(trial, lineage), join(trial, `.${lineage}.next`)];
    for (const link of [shown, next]) await files.createLink(file, link);
    await files.fs.rename(next, shown);
  } finally {
    await remove().catch(() => undefined);
  }
}

// exFAT says of a name with a colon that it isn't there.
function namesRefused(doing: string, folder: string) {
  return (thrown: unknown): never => {
    throw hasErrno(thrown, "ENOENT") ? unfitFor(doing, folder, thrown) : thrown;
  };
}
