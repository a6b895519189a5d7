import type { Stack } from "./stack.ts";

/** How often the stack's nginx has reloaded since it was created, by its own log. */
export async function reloads(stack: Stack): Promise<number> {
  return ((await stack.logs("nginx")).match(/signal 1 \(SIGHUP\) received/g) ?? []).length;
}
