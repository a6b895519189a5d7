import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/** Every entry below a folder: its kind, owner, mode, and what is in it or where it leads. For comparing before and after. */
export async function treeSnapshot(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder, { recursive: true })).sort();
  const described = entries.map(async (entry) => [entry, await describeEntry(join(folder, entry))] as const);
  return Object.fromEntries(await Promise.all(described));
}

async function describeEntry(path: string): Promise<string> {
  const found = await lstat(path);
  const common = `${found.uid}:${found.gid} ${found.mode.toString(8)}`;
  if (found.isSymbolicLink()) return `${common} -> ${await readlink(path)}`;
  if (!found.isFile()) return common;
  const digest = createHash("sha256").update(await readFile(path));
  return `${common} ${found.mtimeMs} ${digest.digest("hex")}`;
}
