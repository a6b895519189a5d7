import { hasErrno } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import type { LineageVersion } from "../reconcile/index.ts";
import { versionTexts } from "./archive.ts";
import { StoreError } from "./errors.ts";
import type { CheckedVersion } from "./renewal-settings.ts";
import { takeBack, type Install, type Tree } from "./tree.ts";

// A foreign certbot can take a number while we write; it renews a lineage once in weeks.
const NUMBER_TRIES = 3;

const PRIVATE_FOLDER_MODE = 0o700;
const PUBLIC_FOLDER_MODE = 0o755;

/**
 * Writes a checked version and publishes it. On any failure before that, nothing of it is left and what was shown is
 * still shown; a failure after it throws too, but the new version stays. Throws StoreError and system errors.
 */
export async function installVersion(tree: Tree, version: CheckedVersion, log: Log): Promise<LineageVersion> {
  await ensureFolders(tree);
  for (let tries = 1; ; tries += 1) {
    try {
      return await installOnce(tree, version, log);
    } catch (thrown) {
      if (tries >= NUMBER_TRIES || !hasErrno(thrown, "EEXIST")) throw thrown;
    }
  }
}

/** The error for a version in the archive that can't be shown. */
export function unusableVersion(lineage: string, version: number, reason: string): StoreError {
  return new StoreError({
    code: "VERSION_UNUSABLE", // A version in `archive/` can't be shown: its files are missing or don't belong together.
    message: `did not show version ${version} of ${lineage}: ${reason}`,
    remedy: "Run update-cert --force-renewal to order a new version.",
  });
}

// The order is what makes a death at any line mendable: the generation first, which says that an install is under way,
// then the conf to come, then the files, which can be told complete or not, then the one rename, then the conf in force.
async function installOnce(tree: Tree, version: CheckedVersion, log: Log): Promise<LineageVersion> {
  const { issued, ...asked } = version;
  const { lineage } = asked;
  const { archive, live, confs, challenges } = tree;
  const number = await nextNumber(tree, lineage);
  const isConversion = (await live.shown(lineage)).kind === "folder";
  const install = { folder: await live.stage(lineage, number), version: number, hasFiles: false };
  try {
    await confs.prepare({ ...asked, accountId: issued.accountId }, challenges);
    await archive.write(lineage, number, versionTexts(issued));
    install.hasFiles = true;
    const installed = await readBack(tree, lineage, number);
    await live.switchTo(lineage, install.folder);
    await confs.commit(lineage);
    if (isConversion) log.info("lineage.converted", { lineage, version: number });
    await tidy(tree, lineage, number);
    return installed;
  } catch (thrown) {
    await undo(tree, lineage, install);
    throw thrown;
  }
}

// Above every number that a file or a generation has, whoever made it: nothing is ever written over.
async function nextNumber({ archive, live }: Tree, lineage: string): Promise<number> {
  const generations = (await live.generations(lineage)).map((one) => one.version);
  return Math.max(0, ...(await archive.numbers(lineage)), ...generations) + 1;
}

// What counts is what the disk gives back, not what was handed to it.
async function readBack({ archive }: Tree, lineage: string, number: number): Promise<LineageVersion> {
  const written = await archive.read(lineage, number);
  if (written.kind === "good") return written.version;
  if (written.unreadable !== undefined) throw written.unreadable;
  throw unusableVersion(lineage, number, `the disk gave back something else than was written: ${written.reason}`);
}

// What is shown stays, and its conf comes into force; anything else goes.
async function undo(tree: Tree, lineage: string, install: Install): Promise<void> {
  try {
    if ((await tree.live.shown(lineage)).target === install.folder) await tree.confs.commit(lineage);
    else await takeBack(tree, lineage, install);
  } catch {
    // The disk fails for this as well. recover() finds the generation, and takes it back.
  }
}

async function tidy({ archive, live }: Tree, lineage: string, version: number): Promise<void> {
  try {
    await live.removeAdopted(lineage);
    await archive.prune(lineage, version, await live.tidy(lineage, version));
  } catch {
    // Old files hurt nobody; the next install tries again.
  }
}

// certbot's modes, for those that aren't there yet.
async function ensureFolders({ paths, files }: Tree): Promise<void> {
  const { root, archive, renewal, hooks } = paths;
  await files.fs.mkdir(root, { recursive: true });
  await files.ensureFolder(archive, PRIVATE_FOLDER_MODE);
  for (const path of [renewal, hooks, ...["pre", "deploy", "post"].map((hook) => `${hooks}/${hook}`)]) {
    await files.ensureFolder(path, PUBLIC_FOLDER_MODE);
  }
}
