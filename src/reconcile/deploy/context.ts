import type { Clock, Log } from "../../ports/index.ts";
import type { DeployRound } from "./round.ts";
import type { Target, Version } from "./target.ts";
import type { LineageStore } from "../lineage-store.ts";
import type { Policy } from "../policy.ts";

/** What a deploy works with. */
export type DeployParts = {
  readonly store: LineageStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly policy: Pick<Policy, "settingsDigest">;
  /** How long a reloaded target may take until it presents the new certificate, in milliseconds. */
  readonly servedWithinMs: number;
};

/** One target and the versions it must serve. */
export type DeployContext = DeployParts & {
  readonly target: Target;
  readonly versions: readonly Version[];
  readonly round: DeployRound;
  /** Try even what the back-off would put off: an explicit command, or a target that has just started. */
  readonly isEager: boolean;
  /** How long a target that is just starting may take until it serves what was on disk before, in milliseconds. */
  readonly settleMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
};
