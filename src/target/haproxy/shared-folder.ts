import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readLeaf, unlessErrno } from "../../certificate/index.ts";

// HAProxy's own user writes there too, for its socket: no link is followed, no pipe waited for.
const ITSELF = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const LONGEST_BYTES = 16 * 1024 * 1024;
const WRITABLE_BY_GROUP = 0o020;
const NEW = ".cert-sidecar.new";

/** The text of a file; empty when there is none. Throws system errors. */
export async function readShared(path: string): Promise<string> {
  await using file = await unlessErrno(open(path, constants.O_RDONLY | ITSELF), "ENOENT");
  if (file === undefined) return "";
  const found = await file.stat();
  if (!found.isFile() || found.size > LONGEST_BYTES)
    throw new Error(`${path} is no file of at most ${LONGEST_BYTES} bytes`);
  return file.readFile("utf8");
}

/** The fingerprint of the certificate that a PEM file begins with; undefined when there is none. */
export async function sharedFingerprint(path: string): Promise<string | undefined> {
  try {
    return readLeaf(await readShared(path)).fingerprint;
  } catch {
    return undefined;
  }
}

/**
 * Puts a file in place by a rename, so that HAProxy finds the old one or the new one whenever it starts. Whoever may make the
 * socket in the folder may read it, and nobody else. Throws system errors.
 */
export async function writeShared(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  // With a first dot: HAProxy takes no such file where it is told to read the whole folder.
  const fresh = join(folder, `.${basename(path)}-${randomBytes(4).toString("hex")}${NEW}`);
  await using home = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const { uid, gid, mode } = await home.stat();
  try {
    await using file = await open(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | ITSELF, 0o600);
    await file.writeFile(text);
    if (uid !== process.geteuid?.() || gid !== process.getegid?.()) await file.chown(uid, gid);
    await file.chmod((mode & WRITABLE_BY_GROUP) === 0 ? 0o600 : 0o640);
    await file.sync();
    await rename(fresh, path);
    await home.sync();
  } catch (thrown) {
    await rm(fresh, { force: true });
    throw thrown;
  }
}

/** Removes those files of a folder that are to go, and what a death has left half-written. Throws system errors. */
export async function removeShared(folder: string, isLeaving: (path: string) => boolean): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    if (entry.endsWith(NEW) || isLeaving(path)) await rm(path, { force: true });
  }
}
