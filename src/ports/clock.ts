/** Time, both halves: what can't be awaited can't be tested. */
export interface Clock {
  now(): Date;
  /** Resolves after `ms`, at once when `ms` is not positive. Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
