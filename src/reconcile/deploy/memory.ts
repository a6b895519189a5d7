import { planRetry, toFailure } from "../../certificate/index.ts";
import type { DeployableVersion, DeployParts, DeployTask } from "./context.ts";
import { CertificateRejectedError, type ConfigurationRejectedError } from "../errors.ts";
import type { AttemptState, DeployState, LineageState } from "../lineage-state.ts";
import type { DeployReport } from "../run-report.ts";

// A reload spends no limit of a CA: the second step of the retry plan, ten minutes, is as slow as it gets.
const SLOWEST_STEP = 2;

// No try is put off for longer; what lies beyond was written by a clock that has been set back since.
const LONGEST_WAIT_MS = 15 * 60_000;

/**
 * What is remembered of a lineage; undefined when the disk doesn't give it: that must keep neither it nor the others from
 * being served. Never throws.
 */
export function recall(parts: DeployParts, lineage: string): Promise<LineageState | undefined> {
  return parts.store.loadState(lineage).catch(() => undefined);
}

/** The report of a version whose last try failed and whose next one must wait; undefined when it may be tried now. */
export async function heldReport(
  parts: DeployParts,
  task: DeployTask,
  version: DeployableVersion,
): Promise<DeployReport | undefined> {
  const state = (await recall(parts, version.lineage))?.deploy[task.target.name];
  if (task.isEager || !state?.nextAttemptAt || !state.lastFailure) return undefined;
  if (state.triedFingerprint !== version.fingerprint) return undefined;
  const nextAt = new Date(state.nextAttemptAt);
  const waitMs = nextAt.getTime() - parts.clock.now().getTime();
  if (waitMs <= 0 || waitMs > LONGEST_WAIT_MS) return undefined;
  return { target: task.target.name, lineage: version.lineage, outcome: "held", failure: state.lastFailure, nextAt };
}

/** Writes down that a version was seen served, unless that is what is written already. */
export async function recordServed(
  parts: DeployParts,
  task: DeployTask,
  version: DeployableVersion,
  outcome: "served" | "deployed",
): Promise<DeployReport> {
  const { lineage, fingerprint } = version;
  const target = task.target.name;
  const known = (await recall(parts, lineage))?.deploy[target];
  if (known?.servedFingerprint !== fingerprint || known.failures > 0) {
    const servedAt = parts.clock.now().toISOString();
    await remember(parts, task, version, (state) => ({
      ...state,
      deploy: { ...state.deploy, [target]: { servedFingerprint: fingerprint, servedAt, failures: 0 } },
    }));
    task.log.info("target.served", { target, lineage, fingerprint });
  }
  return { target, lineage, outcome };
}

/** Writes down a try that has not led to the version being served, and when the next one may be. */
export async function recordDeployFailure(
  parts: DeployParts,
  task: DeployTask,
  version: DeployableVersion,
  thrown: unknown,
): Promise<DeployReport> {
  const { lineage, fingerprint, validity } = version;
  const target = task.target.name;
  const failure = toFailure(thrown);
  const known = (await recall(parts, lineage))?.deploy[target];
  const failures = (known?.failures ?? 0) + 1;
  const failedAt = parts.clock.now();
  const nextAt = planRetry({ failures: Math.min(failures, SLOWEST_STEP), failedAt, validity }, parts.random);
  const tried: DeployState = {
    ...known,
    failures,
    triedFingerprint: fingerprint,
    lastFailure: failure,
    nextAttemptAt: nextAt.toISOString(),
  };
  await remember(parts, task, version, (state) => ({ ...state, deploy: { ...state.deploy, [target]: tried } }));
  task.log.error("deploy.failed", { target, lineage, ...failure, attempt: failures, nextAt });
  return { target, lineage, outcome: "failed", failure, nextAt };
}

/**
 * Writes down that a target refused a version because of its files, which have been put back: for the lineage that is a
 * failed try, so that the next one waits as after any failure, and longer each time.
 */
export async function recordRejection(
  parts: DeployParts,
  task: DeployTask,
  version: DeployableVersion,
  rejection: ConfigurationRejectedError,
): Promise<DeployReport> {
  const { lineage, validity } = version;
  const target = task.target.name;
  const failure = toFailure(new CertificateRejectedError(lineage, version.version, rejection));
  const failures = ((await recall(parts, lineage))?.issue.failures ?? 0) + 1;
  const failedAt = parts.clock.now();
  const nextAt = planRetry({ failures, failedAt, validity }, parts.random);
  const refused: AttemptState = {
    failures,
    lastFailure: failure,
    lastFailedAt: failedAt.toISOString(),
    nextAttemptAt: nextAt.toISOString(),
    settingsDigest: parts.policy.settingsDigest,
  };
  await remember(parts, task, version, (state) => ({ ...state, issue: { ...state.issue, ...refused } }));
  task.log.warn("lineage.restored", { target, lineage, rejectedVersion: version.version, nextAt });
  return { target, lineage, outcome: "failed", failure, nextAt };
}

// What was seen at the target is true whether or not the disk takes it: a failed write must not turn it into a failure.
async function remember(
  parts: DeployParts,
  task: DeployTask,
  { lineage }: DeployableVersion,
  change: (state: LineageState) => LineageState,
): Promise<void> {
  try {
    await parts.store.saveState(lineage, change(await parts.store.loadState(lineage)));
  } catch (thrown) {
    task.log.error("state.unsaved", { lineage, ...toFailure(thrown) });
  }
}
