import type { FailureOrigin } from "./operator-error.ts";
import type { Validity } from "./validity.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A failing CA is probed this often, in milliseconds: an hour in which it answers must not pass unused. */
export const PROBE_EVERY_MS = 30 * MINUTE_MS;

// A CA whose front answers while its orders fail: also there an hour in which they don't must not pass unused.
const TRY_EVERY_MS = 45 * MINUTE_MS;

/** What a probe of a CA after a failure depends on. */
export type ProbeFacts = {
  readonly origin: FailureOrigin | undefined;
  readonly failedAt: Date;
  /** A probe since that failure has found the CA not answering. */
  readonly isSeenDown: boolean;
  /** The life of the certificate being served; absent where there is none. */
  readonly validity?: Validity | undefined;
};

/** From when a probe is worth a request, and from when one that finds the CA answering ends the back-off. */
export type ProbePlan = { readonly probeAt: Date; readonly liftsAt: Date };

/**
 * Decides when to probe the CA instead of waiting out a back-off; undefined after a failure that a probe says nothing about. A
 * CA that was down is tried again as soon as it answers, but not sooner than half an hour after the failure. One that answers
 * but fails in orders is tried each three quarters of an hour while a certificate is left to lose, else once a day.
 */
export function planProbe({ origin, failedAt, isSeenDown, validity }: ProbeFacts, now: Date): ProbePlan | undefined {
  const isOutOfReach = origin === "ca-unreachable" || origin === "proxy";
  if (!isOutOfReach && origin !== "ca-failing") return undefined;
  const probeAt = new Date(failedAt.getTime() + PROBE_EVERY_MS);
  if (isOutOfReach || isSeenDown) return { probeAt, liftsAt: probeAt };
  const isWorthIt = validity !== undefined && now < validity.notAfter;
  const pauseMs = isWorthIt ? TRY_EVERY_MS : DAY_MS;
  return { probeAt, liftsAt: new Date(failedAt.getTime() + pauseMs) };
}
