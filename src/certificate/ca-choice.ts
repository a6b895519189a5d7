import type { Validity } from "./validity.ts";

// A quarter of what was left of the life when the trouble began: the CA gets most of its retries, and three quarters remain.
const SHARE_OF_REMAINING_LIFE = 1 / 4;

// With nothing to serve there is nothing to wait for: two retries, eleven minutes.
const FAILURES_WITHOUT_CERTIFICATE = 3;

/** What the turn of a fallback CA depends on. */
export type FallbackFacts = {
  /** Failures in a row that were the first CA's. */
  readonly failures: number;
  /** When the first of them was; undefined when there is none. */
  readonly failingSince?: Date | undefined;
  /** The life of the certificate being served; absent where there is none. */
  readonly validity?: Validity | undefined;
};

/**
 * When it is the fallback CA's turn: a quarter of the life that was left when the first CA began to fail; with no valid
 * certificate, after its third failure. Undefined: not by waiting alone.
 */
export function fallbackAt({ failures, failingSince, validity }: FallbackFacts): Date | undefined {
  if (failingSince === undefined) return undefined;
  const remainingMs = validity ? validity.notAfter.getTime() - failingSince.getTime() : 0;
  if (remainingMs > 0) return new Date(failingSince.getTime() + remainingMs * SHARE_OF_REMAINING_LIFE);
  return failures >= FAILURES_WITHOUT_CERTIFICATE ? failingSince : undefined;
}
