import { deployToTarget } from "../../src/reconcile/deploy/deploy.ts";
import { versionsToServe } from "../../src/reconcile/deploy/owners.ts";
import { DeployRound } from "../../src/reconcile/deploy/round.ts";
import type { Clock } from "../../src/ports/index.ts";
import { resolveDesired, type DeployReport, type MissingTarget } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { createDeployment, type Deployment, type DeploymentOptions } from "../../src/target/index.ts";
import { aPolicy } from "./a-policy.ts";
import { collectLog, type CollectedLine } from "./collected-log.ts";
import { engineUnderTest } from "./engine-address.ts";
import type { TestStore } from "./test-store.ts";

/** What is unusual about a deploy. */
export type DeployOnce = {
  /** The compose project whose first target it is for. */
  readonly project?: string;
  /** What it is for where no engine is asked. */
  readonly withoutEngine?: DeploymentOptions["withoutEngine"];
  readonly tree: TestStore;
  /** Whether this run has put the versions on disk. */
  readonly isNew?: boolean;
  readonly clock?: Clock;
  /** How long a reload may take, where what is tested lasts so long. */
  readonly servedWithinMs?: number;
};

/** What came of it; `missing`: why there was nobody to deploy to. */
export type DeployedOnce = {
  readonly reports: readonly DeployReport[];
  readonly lines: readonly CollectedLine[];
  readonly missing?: MissingTarget["failure"] | undefined;
};

const NEVER = new AbortController().signal;

/** The way to targets through the real engine, with what is unusual about it. */
export function deploymentOf(more: Partial<DeploymentOptions>): Deployment {
  const common = { docker: engineUnderTest(), service: "nginx", clock: systemClock, random: Math.random };
  return createDeployment({ ...common, log: collectLog(), ...more });
}

/** Deploys all that is on disk to the first target, by default of a project and through the real engine, as one run does. */
export async function deployOnce(one: DeployOnce): Promise<DeployedOnce> {
  const { project, withoutEngine, tree, isNew = false, clock = systemClock, servedWithinMs = 10_000 } = one;
  const { store } = tree;
  const log = collectLog();
  const common = { clock, random: Math.random };
  const { targets, missing } = await deploymentOf({ ...common, project, withoutEngine, log }).targets.find(NEVER);
  const [target] = targets;
  const versions = versionsToServe(store, resolveDesired(aPolicy(), await store.list()), () => isNew);
  if (!target || versions.length === 0) return { reports: [], lines: [], missing: missing[0]?.failure };
  const parts = { ...common, store, servedWithinMs, policy: { settingsDigest: "" } };
  const run = { target, versions, round: new DeployRound(), isEager: true, settleMs: 0, log, signal: NEVER };
  return { reports: await deployToTarget({ ...parts, ...run }), lines: log.lines };
}
