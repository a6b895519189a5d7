import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `look` gives something true-like, and gives it. Throws with `what` when that takes longer than `deadlineMs`. */
export async function poll<T>(what: string, look: () => T | Promise<T>, deadlineMs = 30_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`);
    await sleep(20);
  }
}
