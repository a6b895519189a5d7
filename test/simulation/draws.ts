/** Numbers, choices and durations that are the same for the same seed. */
export type Draws = {
  /** In [0, 1). */
  readonly next: () => number;
  readonly chance: (probability: number) => boolean;
  /** In [from, to). */
  readonly between: (from: number, to: number) => number;
  /** In [from, to), each order of magnitude as likely as the other: for durations. */
  readonly spread: (from: number, to: number) => number;
  /** A whole number, both ends included. */
  readonly whole: (from: number, to: number) => number;
  readonly pick: <const Item>(items: readonly [Item, ...Item[]]) => Item;
};

/** Draws (mulberry32) for one purpose: what one purpose draws never changes what another one gets. */
export function createDraws(seed: number, purpose: string): Draws {
  let state = Buffer.from(purpose).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, seed);
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    chance: (probability) => next() < probability,
    between: (from, to) => from + next() * (to - from),
    spread: (from, to) => from * (to / from) ** next(),
    whole,
    pick: (items) => items[whole(0, items.length - 1)] ?? items[0],
  };
}
