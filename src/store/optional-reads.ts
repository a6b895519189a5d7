import { unlessErrno } from "../certificate/index.ts";
import type { FileSystem } from "./durable-files.ts";

/** A folder's entries; none when it isn't there. Throws other system errors. */
export async function listFolder(path: string, fs: FileSystem): Promise<string[]> {
  return (await unlessErrno(fs.readdir(path), "ENOENT")) ?? [];
}

/** A file's text; undefined when it isn't there. Throws other system errors. */
export async function readTextOf(path: string, fs: FileSystem): Promise<string | undefined> {
  return unlessErrno(fs.readFile(path, "utf8"), "ENOENT");
}

/** A link's target; undefined when there is no link of that name. Throws other system errors. */
export async function readLinkOf(path: string, fs: FileSystem): Promise<string | undefined> {
  return unlessErrno(fs.readlink(path), "ENOENT", "EINVAL", "ENOTDIR");
}
