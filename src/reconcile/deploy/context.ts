import type { Validity } from "../../certificate/index.ts";
import type { Clock, Log } from "../../ports/index.ts";
import type { DeployTarget, ServedCertificate } from "./target.ts";
import type { LineageStore } from "../lineage-store.ts";
import type { Policy } from "../policy.ts";

/** What a deploy step works with. */
export type DeployParts = {
  readonly store: LineageStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly policy: Pick<Policy, "settingsDigest">;
  /** How long a reloaded target may take until it presents the new certificate, in milliseconds. */
  readonly servedWithinMs: number;
};

/** A version on disk that targets must serve. */
export type DeployableVersion = ServedCertificate & {
  readonly version: number;
  readonly validity: Validity;
  /** Put on disk by this run, so that no target can serve it yet. */
  readonly isNew: boolean;
};

/** One target and the versions it must serve. */
export type DeployTask = {
  readonly target: DeployTarget;
  readonly versions: readonly DeployableVersion[];
  /** Try even what the back-off would hold: an explicit command, or a target that has just started. */
  readonly isEager: boolean;
  /** How long a target that is just starting may take until it serves what was on disk before, in milliseconds. */
  readonly settleMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
};
