import type { Failure } from "../certificate/index.ts";

/** What we remember of one lineage between runs: `/etc/letsencrypt/sidecar/<lineage>.json`. Instants are ISO strings. */
export type LineageState = {
  readonly schema: 1;
  /** Orders for this lineage. */
  readonly issue: AttemptState;
  /** Deployment of the version on disk to each target, by target name. */
  readonly deploy: Readonly<Record<string, DeployState>>;
};

/** Tries in a row that have not succeeded. Written before each try, so that a death in the middle counts as one. */
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
  /** CAs that asked for patience (RFC 8555 §6.6), by directory URL: no order there before this instant, whoever asks. */
  readonly caHolds?: Readonly<Record<string, string | undefined>> | undefined;
  /** Versions in a row that a target refused because of their files: each has cost an order. */
  readonly rejections?: number | undefined;
  /** A digest of the settings that the last try was made with: other settings may be tried at once. */
  readonly settingsDigest?: string | undefined;
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
