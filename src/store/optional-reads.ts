import { hasErrno } from "../certificate/index.ts";
import type { FileSystem } from "./durable-files.ts";

/** A folder's entries; none when it isn't there. Throws other system errors. */
export async function listFolder(path: string, fs: FileSystem): Promise<string[]> {
  try {
    return await fs.readdir(path);
  } catch (thrown) {
    if (hasErrno(thrown, "ENOENT")) return [];
    throw thrown;
  }
}

/** A file's text; undefined when it isn't there. Throws other system errors. */
export async function readTextOf(path: string, fs: FileSystem): Promise<string | undefined> {
  try {
    return await fs.readFile(path, "utf8");
  } catch (thrown) {
    if (hasErrno(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
}

/** A link's target; undefined when there is no link of that name. Throws other system errors. */
export async function readLinkOf(path: string, fs: FileSystem): Promise<string | undefined> {
  try {
    return await fs.readlink(path);
  } catch (thrown) {
    if (hasErrno(thrown, "ENOENT", "EINVAL", "ENOTDIR")) return undefined;
    throw thrown;
  }
}
