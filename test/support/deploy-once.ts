import { deployToTarget } from "../../src/reconcile/deploy/deploy.ts";
import { DeployRound } from "../../src/reconcile/deploy/round.ts";
import type { Clock } from "../../src/ports/index.ts";
import type { DeployReport, MissingTarget } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { createDeployment } from "../../src/target/index.ts";
import { collectLog } from "./collected-log.ts";
import { engineUnderTest } from "./engine-address.ts";
import type { TestStore } from "./test-store.ts";

/** What is unusual about a deploy. */
export type DeployOnce = {
  /** The compose project whose first target it is for. */
  readonly project: string;
  readonly tree: TestStore;
  /** Whether this run has put the version on disk. */
  readonly isNew?: boolean;
  readonly clock?: Clock;
};

const NEVER = new AbortController().signal;

/** Deploys what is on disk of the only lineage there is, `a.test`, to the first target of a project, through the real engine. */
export async function deployOnce({ project, tree, isNew = false, clock = systemClock }: DeployOnce) {
  const log = collectLog();
  const common = { clock, random: Math.random };
  const deployment = createDeployment({ ...common, docker: engineUnderTest(), service: "nginx", project, log });
  const { targets, missing } = await deployment.targets.find(NEVER);
  const [target] = targets;
  const [current] = (await tree.store.list()).map((one) => one.current);
  if (!target || !current) return { reports: [], events: [], missing: missing[0]?.failure };
  const { leaf, version } = current;
  const { identifiers, fingerprint, validity } = leaf;
  const pair = () => tree.store.pair("a.test", version);
  const versions = [{ lineage: "a.test", identifiers, fingerprint, validity, version, isNew, pair }];
  const reports = await deployToTarget({
    ...common,
    store: tree.store,
    servedWithinMs: 10_000,
    policy: { settingsDigest: "" },
    target,
    versions,
    round: new DeployRound(),
    isEager: true,
    settleMs: 0,
    log,
    signal: NEVER,
  });
  return { reports, events: log.lines.map(({ event }) => event), missing: undefined } satisfies Outcome;
}

type Outcome = {
  readonly reports: readonly DeployReport[];
  readonly events: readonly string[];
  readonly missing: MissingTarget["failure"] | undefined;
};
