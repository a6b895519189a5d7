import { chown, lstat, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { hasErrno } from "../certificate/index.ts";

/** Whether a file is there. Only the certain answer is no: a disk that doesn't answer is no proof of absence. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    return !hasErrno(thrown, "ENOENT", "ENOTDIR", "ESTALE");
  }
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
  try {
    await mkdir(path, { mode: FOLDER_MODE });
  } catch (thrown) {
    if (hasErrno(thrown, "EEXIST")) return;
    throw thrown;
  }
  // The tree may be another user's, who must get at all that is in it. Without the right to give it away it stays ours.
  const { uid, gid } = await stat(dirname(path));
  await chown(path, uid, gid).catch(() => undefined);
}
