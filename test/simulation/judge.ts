import { readShown, type ShownVersion } from "./disk-check.ts";
import type { Hindrances } from "./hindrances.ts";
import type { Timeline } from "./timeline.ts";
import type { VirtualTime } from "./virtual-time.ts";

const HOUR = 3600_000;

// The issue asks for this: an hour of a CA that is reachable and able is enough, at any time in the last third.
const ENOUGH_MS = HOUR;
const LAST_THIRD = 1 / 3;

// Without a valid certificate a try a day is what the retry plan promises at least, give or take its jitter.
const LONGEST_WITHOUT_MS = 27 * HOUR;

/** What a judge looks at. */
export type JudgeParts = {
  readonly root: string;
  readonly time: VirtualTime;
  readonly timeline: Timeline;
  readonly hindrances: Hindrances;
  /** What stands in the way of deploys. */
  readonly deployHindrances: Hindrances;
  /** The number of a lineage. */
  readonly numberOf: (lineage: string) => number;
  readonly servedOf: (lineage: string) => string | undefined;
};

/** Watches the disk of one life: each version must be sound, served, and renewed in time. */
export class Judge {
  readonly problems: string[] = [];
  /** Certificates that ended with no chance to renew them, and for how long there was none. */
  lapses = 0;
  lapsedMs = 0;
  versions = 0;
  readonly #parts: JudgeParts;
  readonly #known = new Map<string, ShownVersion>();
  /** Each version of a lineage that was ever on disk, and since when. */
  readonly #seen = new Map<string, { readonly version: ShownVersion; readonly atMs: number }>();
  #shown = new Set<string>();
  readonly #current = new Map<string, ShownVersion>();
  readonly #without = new Map<string, { readonly sinceMs: number; isTold: boolean }>();

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** Begins to wait for the certificates that are wanted from the start. */
  begin(wanted: readonly string[]): void {
    for (const lineage of wanted) {
      this.#without.set(lineage, { sinceMs: this.#parts.time.nowMs(), isTold: false });
      this.#watch(lineage);
    }
  }

  /** Looks at the disk; to be called whenever it may have changed. */
  look(): void {
    for (const version of this.#read()) {
      const before = this.#current.get(version.lineage);
      if (before?.fingerprint === version.fingerprint) continue;
      this.#takeNew(version, before);
    }
    for (const lineage of this.#current.keys()) {
      if (!this.#shown.has(lineage)) this.#problem(`live/${lineage} has gone`);
    }
  }

  /** A run has said that a lineage is served. */
  lookServed(lineage: string): void {
    const version = this.#current.get(lineage);
    if (version && this.#parts.servedOf(lineage) !== version.fingerprint) {
      this.#problem(`${lineage} is not what the target serves`);
    }
  }

  /** The versions that are on disk now. */
  current(lineage: string): ShownVersion | undefined {
    return this.#current.get(lineage);
  }

  #read(): ShownVersion[] {
    try {
      const shown = readShown(this.#parts.root, this.#known);
      this.#shown = new Set(shown.map(({ lineage }) => lineage));
      return shown;
    } catch (thrown) {
      this.#problem((thrown as Error).message);
      return [];
    }
  }

  #takeNew(version: ShownVersion, before: ShownVersion | undefined): void {
    const { time } = this.#parts;
    const { lineage, fingerprint, notBefore, notAfter } = version;
    this.#current.set(lineage, version);
    if (notAfter < time.nowMs() && this.#seen.has(fingerprint)) {
      if (!this.#without.has(lineage)) this.#without.set(lineage, { sinceMs: time.nowMs(), isTold: false });
      return;
    }
    const without = this.#without.get(lineage);
    if (without && before) this.lapsedMs += time.nowMs() - without.sinceMs;
    this.#without.delete(lineage);
    if (this.#seen.has(fingerprint)) return;
    this.versions += 1;
    this.#seen.set(fingerprint, { version, atMs: time.nowMs() });
    if (notBefore > time.nowMs() || notAfter < time.nowMs()) this.#problem(`${lineage} got one that isn't valid now`);
    time.at(notAfter + 1, () => {
      this.#judgeEnd(version);
      this.#judgeServedEnd(version);
    });
  }

  // A lineage without a valid certificate has waited too long when a try was possible for more than a day.
  #watch(lineage: string): void {
    const { time, hindrances, numberOf } = this.#parts;
    const check = () => {
      const without = this.#without.get(lineage);
      if (without && !without.isTold) {
        const { ableMs } = hindrances.longestAble(numberOf(lineage), without.sinceMs, time.nowMs());
        if (ableMs > LONGEST_WITHOUT_MS) {
          without.isTold = true;
          this.#problem(`${lineage} has no valid certificate though nothing stood in the way for ${hours(ableMs)}`);
        }
      }
      time.at(time.nowMs() + 6 * HOUR, check);
    };
    time.at(time.nowMs() + 6 * HOUR, check);
  }

  #judgeEnd(version: ShownVersion): void {
    this.look();
    const { lineage, notBefore, notAfter, fingerprint } = version;
    if (this.#current.get(lineage)?.fingerprint !== fingerprint) return;
    const { hindrances, numberOf, timeline } = this.#parts;
    const lastThirdAt = notAfter - (notAfter - notBefore) * LAST_THIRD;
    const { fromMs, ableMs } = hindrances.longestAble(numberOf(lineage), lastThirdAt, notAfter);
    this.lapses += 1;
    this.#without.set(lineage, { sinceMs: notAfter, isTold: false });
    timeline.tell(() => `${lineage} has lapsed; the longest chance was ${hours(ableMs)}`);
    if (ableMs < ENOUGH_MS) return;
    const reasons = hindrances.reasons(numberOf(lineage), lastThirdAt, notAfter).join(", ");
    const since = new Date(fromMs).toISOString();
    this.#problem(
      `${lineage} has lapsed, though nothing stood in the way for ${hours(ableMs)} from ${since}; else: ${reasons}`,
    );
  }

  // What is served has ended: a newer version that was there long enough should have taken its place.
  #judgeServedEnd({ lineage, notAfter, fingerprint }: ShownVersion): void {
    const { deployHindrances, numberOf, servedOf } = this.#parts;
    if (servedOf(lineage) !== fingerprint) return;
    const newer = [...this.#seen.values()].filter(
      ({ version }) => version.lineage === lineage && version.notAfter > notAfter,
    );
    const sinceMs = Math.min(...newer.map(({ atMs }) => atMs), notAfter);
    const { fromMs, ableMs } = deployHindrances.longestAble(numberOf(lineage), sinceMs, notAfter);
    if (ableMs < ENOUGH_MS) return;
    const since = new Date(fromMs).toISOString();
    this.#problem(
      `${lineage}: what is served has lapsed, though a newer one could be had for ${hours(ableMs)} from ${since}`,
    );
  }

  #problem(words: string): void {
    const at = new Date(this.#parts.time.nowMs()).toISOString();
    this.problems.push(`${at} ${words}`);
    this.#parts.timeline.tell(() => `PROBLEM ${words}`);
  }

  /** Something that another part has found out. */
  report(words: string): void {
    this.#problem(words);
  }
}

function hours(ms: number): string {
  return `${(ms / HOUR).toFixed(2)} h`;
}
