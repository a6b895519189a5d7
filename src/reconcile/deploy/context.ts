import type { Log } from "../../ports/index.ts";
import type { DeployRound } from "./round.ts";
import type { Target, Version, Whole } from "./target.ts";
import type { Policy } from "../policy.ts";
import type { ReconcileParts } from "../run.ts";

/** One target and the versions it must serve. */
export type DeployContext = Pick<ReconcileParts, "store" | "clock" | "random" | "servedWithinMs"> & {
  readonly policy: Pick<Policy, "settingsDigest">;
  readonly target: Target;
  readonly versions: readonly Version[];
  /** Whatever the run is about; left out where it isn't known. */
  readonly whole?: Whole;
  readonly round: DeployRound;
  /** Try even what the back-off would put off: an explicit command, or a target that has just started. */
  readonly isEager: boolean;
  /** How long a target that is just starting may take until it serves what was on disk before, in milliseconds. */
  readonly settleMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
};
