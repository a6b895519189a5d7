import type { Failure, FailureOrigin, RenewalInfoState } from "../certificate/index.ts";

/** What we remember of one lineage between runs: `/etc/letsencrypt/sidecar/<lineage>.json`. Instants are ISO strings. */
export type LineageState = {
  readonly schema: 1;
  /** What was tried for it since the last success, that one included, oldest first: of each kind the last (`tries.ts`). */
  readonly tries: readonly Try[];
  /** What the CA said about when to renew the version on disk. */
  readonly renewalInfo?: RenewalInfoState | undefined;
  /** Deployment of the version on disk to each target, by target name. */
  readonly deploy: Readonly<Record<string, DeployState>>;
};

/**
 * One thing that was tried for a lineage: an order, or a version that targets were to take. An order is written down as begun
 * before the CA hears of it, so that a death in the middle counts as a failure.
 */
export type Try = {
  /** `prepare`: an order that the CA has not heard of; `deploy`: a version that is put back, or may be. */
  readonly stage: "prepare" | "order" | "deploy";
  /** `begun`: it is under way, or its process has died in it. */
  readonly outcome: "begun" | "failed" | "done";
  /** When it ended; as long as it is only begun, when that was. */
  readonly at: string;
  /** Directory URL of the CA. */
  readonly ca?: string | undefined;
  /** It is the fallback CA's. */
  readonly isFallback?: boolean | undefined;
  /** Where the fallback CA has helped out: the first one, which the next renewal goes to again. */
  readonly first?: string | undefined;
  /** The names of an order: see {@link exactSetKey}. */
  readonly names?: string | undefined;
  /** The version that targets were to take. */
  readonly fingerprint?: string | undefined;
  /** Who failed; absent where it says nothing of a CA any more. */
  readonly origin?: FailureOrigin | undefined;
  /** A probe since then has found the CA not answering. */
  readonly isSeenDown?: boolean | undefined;
  /** The how manieth of its kind it is in a row, and since when: failures of the first CA, renewals that a CA suggests too soon. */
  readonly row?: { readonly since: string; readonly nth: number } | undefined;
  /** Failures in a row of any kind, with this one; absent as long as no target has said anything of a version. */
  readonly failures?: number | undefined;
  readonly failure?: Failure | undefined;
  /** No next try before this instant. */
  readonly nextAttemptAt?: string | undefined;
  /** A digest of the settings that it was made with: other settings may be tried at once. */
  readonly settingsDigest?: string | undefined;
};

/** How far a version has got at one target. */
export type DeployState = {
  /** Fingerprint that was last seen served there for every name. */
  readonly servedFingerprint?: string | undefined;
  readonly servedAt?: string | undefined;
  /** Tries in a row that have not led to the version being served, of that which was tried last. */
  readonly failures: number;
  readonly nextAttemptAt?: string | undefined;
  readonly lastFailure?: Failure | undefined;
  /** What the last try that failed was to make served; another version may be tried at once. */
  readonly triedFingerprint?: string | undefined;
  /** The version with which no handshake succeeded there, nor with the one before. */
  readonly acquittedFingerprint?: string | undefined;
};

/** The state of a lineage we have never acted on. */
export const FRESH_STATE: LineageState = { schema: 1, tries: [], deploy: {} };
