import { lifetimeMs, type Validity } from "./validity.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

// Let's Encrypt's integration guide, "Retrying Failures": 1 min, 10 min, 100 min, then daily.
const STEPS_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS];
const JITTER = 0.1;

// What is left of a certificate's life is good for this many more tries; a day is no answer when it lapses tonight.
const TRIES_IN_REMAINING_LIFE = 8;

// Yet the tries must not crowd towards the end: an hour apart for 90 days, four minutes for six.
const TRIES_IN_WHOLE_LIFE = 2000;

// Minute-long certificates exist in tests only, but there must be no busy loop for them either.
const SHORTEST_MS = 5000;

/** What a retry depends on. */
export type RetryFacts = {
  /** Failures in a row, the one just seen included: 1 or more. */
  readonly failures: number;
  readonly failedAt: Date;
  /** The life of the certificate being served; absent for a first issue. */
  readonly validity?: Validity | undefined;
  /** Not before this instant, whatever else holds: the CA's Retry-After. */
  readonly notBefore?: Date | undefined;
};

/**
 * When the next try after a failure may begin: 1, 10, 100 minutes, then daily, each ± 10 %; sooner when an eighth of the
 * remaining life is less than that, but no more than 2000 tries a lifetime, and never under 5 seconds. `random` gives a number in [0, 1).
 */
export function planRetry(facts: RetryFacts, random: () => number): Date {
  const stepMs = STEPS_MS[Math.min(facts.failures, STEPS_MS.length) - 1] ?? MINUTE_MS;
  const cappedMs = Math.min(stepMs, Math.max(SHORTEST_MS, shareOfLife(facts)));
  const jitteredMs = cappedMs * (1 + JITTER * (2 * random() - 1));
  const retryAt = new Date(facts.failedAt.getTime() + jitteredMs);
  return facts.notBefore && facts.notBefore > retryAt ? facts.notBefore : retryAt;
}

function shareOfLife({ validity, failedAt }: RetryFacts): number {
  // An expired certificate is like none: the plain steps, so that a dead CA isn't asked each minute for ever.
  if (!validity || validity.notAfter <= failedAt) return Number.POSITIVE_INFINITY;
  const remainingMs = validity.notAfter.getTime() - failedAt.getTime();
  return Math.max(remainingMs / TRIES_IN_REMAINING_LIFE, lifetimeMs(validity) / TRIES_IN_WHOLE_LIFE);
}
