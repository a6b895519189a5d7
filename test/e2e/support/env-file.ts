import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stack } from "./stack.ts";

/** Changes lines of the stack's `.env`, as an operator would; an empty value takes the line out. `up` makes it act. */
export async function rewriteEnv(stack: Stack, changes: Readonly<Record<string, string>>): Promise<void> {
  const file = join(stack.folder, ".env");
  const lines = (await readFile(file, "utf8")).split("\n");
  const kept = lines.filter((line) => line !== "" && !((line.split("=", 1)[0] ?? "") in changes));
  const added = Object.entries(changes).flatMap(([name, value]) => (value === "" ? [] : [`${name}=${value}`]));
  await writeFile(file, [...kept, ...added, ""].join("\n"));
}
