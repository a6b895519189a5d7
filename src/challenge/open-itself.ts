import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/**
 * Opens what is at `path` itself, to be examined: ELOOP for a link, and a pipe keeps nobody waiting. Others write in a webroot too,
 * so what was asked of a path need not hold for what is there a moment later; it holds for what is open.
 */
export function openItself(path: string, flags = constants.O_RDONLY): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** A folder that is open. What is done by a path below `inside` is done in it, whatever stands at its name by then. */
export type OpenFolder = AsyncDisposable & {
  /** As it was named, for people. */
  readonly path: string;
  readonly inside: string;
  readonly handle: FileHandle;
};

/** Opens a folder, through a link too. Throws system errors. */
export async function openFolderAt(path: string): Promise<OpenFolder> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path, inside: `/proc/self/fd/${handle.fd}`, handle, [Symbol.asyncDispose]: () => handle.close() };
}
