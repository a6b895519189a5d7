import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../src/ports/index.ts";

const LONGEST_MS = 20;

/** The real time, but whoever sleeps is awake again after 20 ms, and finds that as much time has passed as was asked for. */
export function hurriedClock(): Clock {
  let skippedMs = 0;
  return {
    now: () => new Date(Date.now() + skippedMs),
    sleep: async (ms, signal) => {
      const sleptMs = Math.min(Math.max(ms, 0), LONGEST_MS);
      await sleep(sleptMs, undefined, { signal });
      skippedMs += Math.max(ms, 0) - sleptMs;
    },
  };
}
