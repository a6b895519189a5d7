import { stat, utimes, writeFile } from "node:fs/promises";

/** Writes a file in place and gives it its old times back, as `cp -p` and `rsync --inplace -a` do: nothing but its text is another. */
export async function overwrite(path: string, text: string): Promise<void> {
  const { atime, mtime } = await stat(path);
  await writeFile(path, text);
  await utimes(path, atime, mtime);
}
