import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/**
 * Opens what is at `path` itself, to be examined: ELOOP for a link, and a pipe keeps nobody waiting. Others write in a webroot too,
 * so what was asked of a path need not hold for what is there a moment later; it holds for what is open.
 */
export function openItself(path: string, flags = constants.O_RDONLY): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}
