import type { Clock } from "../ports/index.ts";
import { orderTimedOut } from "./failures/order-errors.ts";

// Most proofs are checked in well under a second, so the first poll comes early; from then on the CA says how often. Where it says
// nothing, what has taken long takes longer: the wait is a tenth of the time so far.
const FIRST_MS = 100;
const SHORTEST_MS = 250;
const UNASKED_SHARE = 1 / 10;
const SHORTEST_UNASKED_MS = 1000;
const LONGEST_MS = 30_000;

/** One answer about something that a CA is deciding on. */
export type Poll<T> = { readonly value: T; readonly isPending: boolean; readonly retryAfter?: Date | undefined };

/** What to wait for, and how long. */
export type PollOptions<T> = {
  /** Named in the error: "the order https://…". */
  readonly what: string;
  readonly poll: () => Promise<Poll<T>>;
  readonly deadline: Deadline;
};

/** The time that is left to one order. */
export type Deadline = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Moved by {@link offTheClock} alone. */
  deadlineAt: Date;
  /** The whole time the order had; for the message. */
  readonly timeoutMs: number;
};

/** Throws OperatorError when an order's time is up: a CA that is slow in each of many answers is not waited for. */
export function throwIfLate({ clock, deadlineAt, timeoutMs }: Deadline): void {
  if (clock.now() >= deadlineAt) throw orderTimedOut("the order", timeoutMs);
}

/** Does what the CA has no part in, and gives the order back the time that it takes: name servers may need many minutes. */
export async function offTheClock<T>(deadline: Deadline, work: () => Promise<T>): Promise<T> {
  const startedAt = deadline.clock.now().getTime();
  try {
    return await work();
  } finally {
    const tookMs = Math.max(0, deadline.clock.now().getTime() - startedAt);
    deadline.deadlineAt = new Date(deadline.deadlineAt.getTime() + tookMs);
  }
}

/** Polls until the CA has decided (RFC 8555 §7.5.1, §7.4). Throws OperatorError when the time is up, what `poll` throws, or the signal's reason. */
export async function pollUntilDecided<T>({ what, poll, deadline }: PollOptions<T>): Promise<T> {
  const { clock, signal, deadlineAt, timeoutMs } = deadline;
  let delayMs = FIRST_MS;
  let sleptMs = 0;
  for (;;) {
    const isLate = clock.now().getTime() + delayMs > deadlineAt.getTime();
    // What was slept counts too: a clock that is set back must not make an order wait for a day.
    if (isLate || sleptMs + delayMs > timeoutMs) throw orderTimedOut(what, timeoutMs);
    await clock.sleep(delayMs, signal);
    sleptMs += delayMs;
    const { value, isPending, retryAfter } = await poll();
    if (!isPending) return value;
    delayMs = nextPollDelayMs(retryAfter, clock.now(), sleptMs);
  }
}

/**
 * How long to wait after a pending answer: what its Retry-After asks for, but 0.25 s to 30 s; where it asks nothing a tenth of the
 * `sleptMs` so far, but 1 s to 30 s.
 */
export function nextPollDelayMs(retryAfter: Date | undefined, now: Date, sleptMs: number): number {
  const unaskedMs = Math.max(Math.round(sleptMs * UNASKED_SHARE), SHORTEST_UNASKED_MS);
  const delayMs = retryAfter ? Math.max(retryAfter.getTime() - now.getTime(), SHORTEST_MS) : unaskedMs;
  return Math.min(delayMs, LONGEST_MS);
}
