import { constants, type Stats } from "node:fs";
import * as nodeFiles from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hasErrno, unlessErrno } from "../certificate/index.ts";

/** The part of `node:fs/promises` that the store uses: what a test replaces to fail, or die, at any one call. */
export type FileSystem = Pick<
  typeof nodeFiles,
  "chown" | "lstat" | "mkdir" | "open" | "readdir" | "readlink" | "rename" | "rm" | "stat" | "symlink" | "unlink"
> & { readFile(path: string, encoding: "utf8"): Promise<string> };

/** The real file system; its `readFile` takes no device, pipe or endless file, which the tree's owner could link to. */
export const REAL_FILES: FileSystem = { ...nodeFiles, readFile };

// open(2), which Node has no word for: a handle on what is at a path, link or not, without opening it.
const O_PATH = 0o10000000;
/** What is at a path itself: no link is followed, no pipe waited for. */
export const ITSELF = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

// Hundreds of times the longest of our own files.
const LONGEST_TEXT_BYTES = 16 * 1024 * 1024;

async function readFile(path: string, encoding: "utf8"): Promise<string> {
  await using file = await nodeFiles.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  if (found.isDirectory() || (found.isFile() && found.size <= LONGEST_TEXT_BYTES)) return await file.readFile(encoding);
  throw Object.assign(new Error(`${path} is no file of at most ${LONGEST_TEXT_BYTES} bytes`), { code: "EFBIG", path });
}

/** Where a tree is. */
export type TreeOptions = {
  /** certbot's configuration folder, `/etc/letsencrypt`. Made when it isn't there. */
  readonly root: string;
  /** For tests that fail, or die, at one call. */
  readonly fs?: FileSystem | undefined;
};

/** What a new file is to be like; `gid` where it must not be the owner's own group, `mtime` where it isn't of now. */
export type FileMode = {
  readonly mode: number;
  readonly gid?: number | undefined;
  readonly mtime?: Date | undefined;
};

/**
 * Reads one tree, and writes to it so that it survives a power cut, as the tree's owner. What a call writes is on the disk when
 * it resolves, except that a new name is only sure after {@link DurableFiles.syncFolder} of its folder. All throw system errors.
 */
export class DurableFiles {
  readonly root: string;
  readonly fs: FileSystem;

  constructor(root: string, fs: FileSystem) {
    this.root = root;
    this.fs = fs;
  }

  /**
   * Removes the files of a folder of our own that are `isLeaving`. The folder's owner may have put a link in its place, which is not
   * followed, and may do so at any moment: what is removed is in the folder that was opened.
   */
  async removeFiles(path: string, isLeaving: (entry: string, found: Stats) => boolean): Promise<void> {
    await using folder = await unlessErrno(
      this.fs.open(path, ITSELF | constants.O_DIRECTORY),
      "ENOENT",
      "ENOTDIR",
      "ELOOP",
    );
    if (folder === undefined) return;
    for (const entry of await this.fs.readdir(`/proc/self/fd/${folder.fd}`)) {
      const at = `/proc/self/fd/${folder.fd}/${entry}`;
      const found = await unlessErrno(this.fs.lstat(at), "ENOENT");
      if (found?.isFile() && isLeaving(entry, found)) await this.fs.rm(at, { force: true });
    }
  }

  /** A folder's entries; none when it isn't there. */
  async list(path: string): Promise<string[]> {
    return (await unlessErrno(this.fs.readdir(path), "ENOENT")) ?? [];
  }

  /** A file's text; undefined when it isn't there. */
  readText(path: string): Promise<string | undefined> {
    return unlessErrno(this.fs.readFile(path, "utf8"), "ENOENT");
  }

  /** A link's target; undefined when there is no link of that name. */
  readLink(path: string): Promise<string | undefined> {
    return unlessErrno(this.fs.readlink(path), "ENOENT", "EINVAL", "ENOTDIR");
  }

  /** Writes a file that must not exist yet (EEXIST); on failure nothing of it is left. */
  async create(path: string, data: string | Uint8Array, { mode, gid, mtime }: FileMode): Promise<void> {
    const file = await this.fs.open(path, "wx", mode);
    try {
      await file.chmod(mode); // the umask may have taken bits away
      await file.writeFile(data);
      if (mtime) await file.utimes(mtime, mtime);
      await this.#giveToOwner(await file.stat(), (uid, group) => file.chown(uid, group), gid);
      await file.sync();
      await file.close();
    } catch (thrown) {
      await file.close().catch(() => undefined);
      await this.fs.rm(path, { force: true }).catch(() => undefined);
      throw withPath(thrown, path);
    }
  }

  /**
   * Copies what somebody else has put somewhere: a file that isn't endless, a link as it is, a folder with all in it; sockets and
   * pipes are left out. A link that takes a file's place meanwhile is not followed: we may read what its owner may not.
   */
  async copy(from: string, to: string): Promise<void> {
    const target = await this.readLink(from);
    if (target !== undefined) return this.createLink(target, to);
    await using source = await unlessErrno(this.fs.open(from, ITSELF), "ENXIO", "ELOOP", "ENOENT");
    const found = await source?.stat();
    if (!source || !found) return;
    const { mtime, gid } = found;
    const mode = found.mode & 0o777;
    if (found.isFile() && found.size <= LONGEST_TEXT_BYTES) {
      await this.create(to, await source.readFile(), { mode, gid, mtime });
      return;
    }
    if (!found.isDirectory()) return;
    await this.ensureFolder(to, mode);
    const inside = `/proc/self/fd/${source.fd}`;
    for (const entry of await this.fs.readdir(inside)) await this.copy(join(inside, entry), join(to, entry));
    await this.syncFolder(to);
  }

  /**
   * Replaces a file, or makes it, by one rename inside its folder (across folders there may be a mount: EXDEV). The file
   * is the old or the new one at any instant.
   */
  async replace(path: string, data: string, mode: FileMode): Promise<void> {
    const temporary = join(dirname(path), `.${basename(path)}.new`);
    await this.fs.rm(temporary, { force: true });
    await this.create(temporary, data, mode);
    try {
      await this.fs.rename(temporary, path);
    } catch (thrown) {
      await this.fs.rm(temporary, { force: true }).catch(() => undefined);
      throw thrown;
    }
    await this.syncFolder(dirname(path));
  }

  /** Makes a folder inside an existing one when it isn't there; leaves an existing one's mode alone. */
  async ensureFolder(path: string, mode: number): Promise<void> {
    const isNew = await unlessErrno(
      this.fs.mkdir(path, { mode }).then(() => true),
      "EEXIST",
    );
    if (!isNew) return;
    await using folder = await this.fs.open(path, ITSELF | constants.O_DIRECTORY);
    await this.#giveToOwner(await folder.stat(), (uid, gid) => folder.chown(uid, gid));
    await this.syncFolder(dirname(path));
  }

  /** Renames, durably; false when there is nothing to rename. */
  async renameIfThere(from: string, to: string): Promise<boolean> {
    const isDone = await unlessErrno(
      this.fs.rename(from, to).then(() => true),
      "ENOENT",
    );
    if (!isDone) return false;
    for (const folder of new Set([dirname(to), dirname(from)])) await this.syncFolder(folder);
    return true;
  }

  /** Makes a link that must not exist yet (EEXIST); on failure nothing of it is left. */
  async createLink(target: string, path: string): Promise<void> {
    await this.fs.symlink(target, path);
    try {
      // A link can't be opened to be read; what it leads to is not touched.
      await using link = await this.fs.open(path, O_PATH | constants.O_NOFOLLOW);
      const own = await link.stat();
      const give = (uid: number, gid: number) => this.fs.chown(`/proc/self/fd/${link.fd}`, uid, gid);
      if (own.isSymbolicLink()) await this.#giveToOwner(own, give);
    } catch (thrown) {
      await this.fs.rm(path, { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  /** Makes the names in a folder durable; of a file that somebody else has written, what it holds. */
  async syncFolder(path: string): Promise<void> {
    const folder = await this.fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await folder.sync();
    } catch (thrown) {
      // Some network and FUSE file systems have no fsync for folders; they order names themselves.
      if (!hasErrno(thrown, "EINVAL", "ENOTSUP", "EISDIR", "EBADF")) throw withPath(thrown, path);
    } finally {
      await folder.close();
    }
  }

  // The tree may belong to uid 1000 while we are root; what we add must stay usable for its owner. That owner can put something
  // of another's in its place at once: so what we have made is given away by its handle, and what isn't ours not at all.
  async #giveToOwner(own: Stats, give: (uid: number, gid: number) => Promise<void>, gid?: number): Promise<void> {
    const owner = await this.fs.stat(this.root);
    if (own.uid !== process.geteuid?.()) return;
    const wanted = { uid: owner.uid, gid: gid ?? owner.gid };
    if (own.uid === wanted.uid && own.gid === wanted.gid) return;
    await give(wanted.uid, wanted.gid).catch((thrown: unknown) => {
      // Without the right to give files away they stay ours, as any other program's would.
      if (!hasErrno(thrown, "EPERM", "EINVAL", "ENOSYS")) throw thrown;
    });
  }
}

// Errors of an open file don't say which one it was.
function withPath(thrown: unknown, path: string): unknown {
  return thrown instanceof Error && !("path" in thrown) ? Object.assign(thrown, { path }) : thrown;
}
