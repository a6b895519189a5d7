import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stack } from "./stack.ts";

/** Changes the demo CA's configuration; to be called before it starts. Of several profiles one must be asked for. */
export async function configureDemoCa(stack: Stack, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(stack.folder, "volumes/pebble/config.json");
  const { pebble } = JSON.parse(await readFile(file, "utf8")) as { pebble: object };
  await writeFile(file, JSON.stringify({ pebble: { ...pebble, ...changes } }));
}
