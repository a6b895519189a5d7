import type { Clock } from "../../src/ports/index.ts";

/** A clock whose sleeps are over at once and move its time on by as much; it keeps their lengths. */
export type InstantClock = Clock & {
  readonly slept: readonly number[];
  /** What an operator or NTP does. */
  setBack(ms: number): void;
};

/** Makes one. */
export function instantClock(startAt = new Date()): InstantClock {
  const slept: number[] = [];
  let nowMs = startAt.getTime();
  return {
    slept,
    now: () => new Date(nowMs),
    setBack: (ms) => {
      nowMs -= ms;
    },
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      slept.push(ms);
      nowMs += Math.max(ms, 0);
    },
  };
}
