import type { Failure, FailureOrigin, RenewalInfoState } from "../certificate/index.ts";

/** What we remember of one lineage between runs: `/etc/letsencrypt/sidecar/<lineage>.json`. Instants are ISO strings. */
export type LineageState = {
  readonly schema: 1;
  /** Orders for this lineage. */
  readonly issue: AttemptState;
  /** What the CA said about when to renew the version on disk. */
  readonly renewalInfo?: RenewalInfoState | undefined;
  /** Deployment of the version on disk to each target, by target name. */
  readonly deploy: Readonly<Record<string, DeployState>>;
};

/**
 * Tries in a row that have not succeeded, orders or versions that a target refused. Written before each order, so that a death
 * in the middle counts as one.
 */
export type AttemptState = {
  /** Failures in a row; 0 after a success. */
  readonly failures: number;
  /** Set while a try is under way; found at start, it means that the last process died in it. */
  readonly startedAt?: string | undefined;
  /** No try before this instant. */
  readonly nextAttemptAt?: string | undefined;
  readonly lastFailure?: Failure | undefined;
  readonly lastFailedAt?: string | undefined;
  readonly lastSuccessAt?: string | undefined;
  /** Directory URL of the CA that was tried last. */
  readonly lastDirectoryUrl?: string | undefined;
  /** The last failure at each CA, by directory URL. */
  readonly atCa?: Readonly<Record<string, CaFailure | undefined>> | undefined;
  /** The names that were tried last: see {@link exactSetKey}. */
  readonly lastNames?: string | undefined;
  /** The first CA's failures in a row, since when and how many; forgotten at a success and at a failure that isn't a CA's. */
  readonly caFailingSince?: string | undefined;
  readonly caFailures?: number | undefined;
  /** The fallback CA has been tried since then. */
  readonly isFallbackTried?: boolean | undefined;
  /** The version on disk is from the fallback CA `at`; the next renewal goes to the first one again. */
  readonly fallback?: { readonly at: string; readonly first: string } | undefined;
  /** Fingerprint of a version that is put back, or may be: it is shown again in the place of an order, see docs/decisions/0009. */
  readonly putBack?: string | undefined;
  /** Renewals in a row that the CA has suggested right after the one before. */
  readonly hastyRenewals?: number | undefined;
  /** A digest of the settings that the last try was made with: other settings may be tried at once. */
  readonly settingsDigest?: string | undefined;
};

/** How an order failed at one CA, for as long as nothing has succeeded since. */
export type CaFailure = {
  readonly failedAt: string;
  readonly origin: FailureOrigin;
  /** A probe since then has found the CA not answering. */
  readonly isSeenDown?: boolean | undefined;
};

/** How far a version has got at one target. */
export type DeployState = {
  /** Fingerprint that was last seen served there for every name. */
  readonly servedFingerprint?: string | undefined;
  readonly servedAt?: string | undefined;
  /** Tries in a row that have not led to the version being served. */
  readonly failures: number;
  readonly nextAttemptAt?: string | undefined;
  readonly lastFailure?: Failure | undefined;
  /** What the last try that failed was to make served; another version may be tried at once. */
  readonly triedFingerprint?: string | undefined;
};

/** The state of a lineage we have never acted on. */
export const FRESH_STATE: LineageState = { schema: 1, issue: { failures: 0 }, deploy: {} };
