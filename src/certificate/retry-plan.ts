import { lifetimeMs, type Validity } from "./validity.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

// Let's Encrypt's integration guide, "Retrying Failures": 1 min, 10 min, 100 min, then daily.
const STEPS_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS];
const JITTER = 0.1;

// The next try comes when an eighth of what is left of the life has gone: a day is no answer when it lapses tonight.
const TRIES_IN_REMAINING_LIFE = 8;

// Yet the tries must not crowd towards the end: an hour apart for 90 days, four minutes for six.
const TRIES_IN_WHOLE_LIFE = 2000;

// Certificates that live for seconds exist in tests only, but there must be no busy loop for them either. For ten minutes it
// still is less than the last 250th of the life, so that a try is left there.
const SHORTEST_MS = 2000;

/** What a retry depends on. */
export type RetryFacts = {
  /** Failures in a row, the one just seen included: 1 or more. */
  readonly failures: number;
  readonly failedAt: Date;
  /** The life of the certificate being served; absent for a first issue. */
  readonly validity?: Validity | undefined;
};

/**
 * When the next try after a failure may begin: 1, 10, 100 minutes, then daily, each ± 10 %; sooner when an eighth of the
 * remaining life is less than that, but no more than 2000 tries a lifetime, and never under 2 seconds (less jitter). `random` gives a number in [0, 1).
 */
export function planRetry(facts: RetryFacts, random: () => number): Date {
  const stepMs = STEPS_MS[Math.min(facts.failures, STEPS_MS.length) - 1] ?? MINUTE_MS;
  const cappedMs = Math.min(stepMs, Math.max(SHORTEST_MS, shareOfLife(facts)));
  const jitteredMs = cappedMs * (1 + JITTER * (2 * random() - 1));
  return new Date(facts.failedAt.getTime() + jitteredMs);
}

function shareOfLife({ validity, failedAt }: RetryFacts): number {
  if (!validity) return Number.POSITIVE_INFINITY;
  const lifeMs = lifetimeMs(validity);
  const remainingMs = validity.notAfter.getTime() - failedAt.getTime();
  // An expired certificate has as much patience as a new one: days for 90 of them, so that a dead CA isn't asked each hour for
  // ever, and minutes for one that lives an hour.
  const patienceMs = remainingMs > 0 ? remainingMs : lifeMs;
  return Math.max(patienceMs / TRIES_IN_REMAINING_LIFE, lifeMs / TRIES_IN_WHOLE_LIFE);
}
