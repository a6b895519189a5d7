import { lstat, mkdir } from "node:fs/promises";

/** Whether a file is there. Only the certain answer is no: a disk that doesn't answer is no proof of absence. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    return !["ENOENT", "ENOTDIR", "ESTALE"].includes(codeOf(thrown));
  }
}

/** Makes a folder for sockets and marks that only its owner enters. May run twice. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** The system's name for what went wrong (`ENOENT`); empty when it has none. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}
