/** What is counted in one life. */
export type Figures = {
  /** Virtual days that were lived. */
  readonly days: number;
  /** Versions that came to the disk. */
  readonly versions: number;
  /** Orders that the CAs took, rehearsals left out. */
  readonly orders: number;
  /** Times that a certificate was asked for, whether it came as far as an order or not. */
  readonly tries: number;
  /** The same, by what was wrong at the time. */
  readonly triesDuring: Readonly<Record<string, number>>;
  /** Of one certificate. */
  readonly mostTriesADay: number;
  readonly requests: number;
  readonly mostRequestsADay: number;
  /** Certificates that ended when there was no chance to renew them. */
  readonly lapses: number;
  readonly lapsedMs: number;
  /** Orders beyond a limit of the CA's, allowed since the certificate was about to lapse. */
  readonly overrides: number;
  readonly deaths: number;
  readonly runs: number;
  readonly cpuMs: number;
};

/** Counts by day, and knows the largest. */
export class DailyCount {
  total = 0;
  most = 0;
  readonly #days = new Map<string, number>();

  /** Counts one at a moment, and gives the day's number; `key` keeps counts of different things apart. */
  add(atMs: number, key = ""): number {
    const day = `${Math.floor(atMs / (24 * 3600_000))} ${key}`;
    const count = (this.#days.get(day) ?? 0) + 1;
    this.#days.set(day, count);
    this.total += 1;
    this.most = Math.max(this.most, count);
    return count;
  }
}
