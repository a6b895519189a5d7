import { constants } from "node:fs";
import { lstat, mkdir, open, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { hasErrno, unlessErrno } from "../certificate/index.ts";

/** Whether a file is there. Only the certain answer is no: a disk that doesn't answer is no proof of absence. */
export function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (thrown: unknown) => !hasErrno(thrown, "ENOENT", "ENOTDIR", "ESTALE"),
  );
}

// As the store makes it: nginx's step reads the list of certificates there, and what is private has a mode of its own.
const FOLDER_MODE = 0o755;

/** Makes a folder for liveness files, and those above it, with the owner of the one they are in. May run twice. */
export async function makeFolder(path: string): Promise<void> {
  // Node's own `recursive` never ends inside a mounted folder that was deleted, and calls a read-only one missing.
  try {
    await makeOne(path);
  } catch (thrown) {
    if (!hasErrno(thrown, "ENOENT") || (await exists(dirname(path)))) throw thrown;
    await makeFolder(dirname(path));
    await makeOne(path);
  }
}

async function makeOne(path: string): Promise<void> {
  const isNew = await unlessErrno(
    mkdir(path, { mode: FOLDER_MODE }).then(() => true),
    "EEXIST",
  );
  if (isNew) await giveToOwnerAbove(path);
}

/**
 * Opens what is at `path` itself (ELOOP for a link), and waits for nobody (a pipe). The folders here may be another user's, who
 * can put a link to the Docker socket where we have just made something: nothing may be done by its path alone.
 */
export function openItself(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/**
 * Gives a folder that we have made to the owner of the one it is in, who must get at all that is in the tree. Without the right
 * to give it away it stays ours; what isn't ours is left alone.
 */
export async function giveToOwnerAbove(path: string): Promise<void> {
  const { uid, gid } = await stat(dirname(path));
  await using folder = await openItself(path, constants.O_DIRECTORY).catch(() => undefined);
  if (!folder || (await folder.stat()).uid !== process.geteuid?.()) return;
  await folder.chown(uid, gid).catch(() => undefined);
}
