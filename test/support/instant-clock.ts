import type { Clock } from "../../src/reconcile/index.ts";

/** A clock whose sleeps are over at once and move its time on by as much; it keeps their lengths. */
export function instantClock(startAt = new Date()): Clock & { readonly slept: readonly number[] } {
  const slept: number[] = [];
  let nowMs = startAt.getTime();
  return {
    slept,
    now: () => new Date(nowMs),
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      slept.push(ms);
      nowMs += Math.max(ms, 0);
    },
  };
}
