import type { Clock } from "../../ports/index.ts";

/** How long something may take, and who else may end it. */
export type Deadline = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** In milliseconds. */
  readonly ms: number;
  /** What is thrown when the time is up. */
  readonly expired: () => Error;
};

// An error of its own for each call would cost a stack trace.
const ENDED = new Error("it has ended");

/**
 * Runs `work` until it ends, `signal` aborts or the time is up, whichever is first, and never waits for a `work` that does
 * not listen: what it was given up for is thrown at once (the signal's reason, or `expired()`). The signal that `work` gets
 * aborts with the same reason, and also after `work` has ended, so that nothing it started is left behind.
 */
export async function withDeadline<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, signal, ms, expired } = deadline;
  signal.throwIfAborted();
  // Not AbortSignal.any: the daemon's signal lives for months, and each derived signal would hang on it.
  const own = new AbortController();
  const cut = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    cut.reject(reason);
    own.abort(reason);
  };
  const onAbort = () => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  clock.sleep(ms, own.signal).then(
    () => end(expired()),
    () => {}, // it was in time
  );
  try {
    return await Promise.race([work(own.signal), cut.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    own.abort(ENDED);
  }
}
