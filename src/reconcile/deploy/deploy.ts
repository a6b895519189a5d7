import { toFailure } from "../../certificate/index.ts";
import { findGuilty } from "./blame.ts";
import { heldReport, recordDeployFailure, recordRejection, recordServed } from "./memory.ts";
import type { DeployableVersion, DeployParts, DeployTask } from "./context.ts";
import type { ServedFinding } from "./target.ts";
import { ConfigurationRejectedError, NotServedError } from "../errors.ts";
import type { DeployReport } from "../run-report.ts";

const SECOND_LOOK_MS = 50;
const SECOND_LOOK_WITHIN_MS = 1000;

/**
 * Makes one target serve the versions on disk: looks first; then tests, reloads once for all of them, and looks until each
 * is served. A version that makes the target's test fail is put back to the one before. Never throws, except the signal's reason.
 */
export async function deployToTarget(parts: DeployParts, task: DeployTask): Promise<DeployReport[]> {
  const { versions } = task;
  const behind: DeployableVersion[] = [];
  const reports: DeployReport[] = [];
  for (const version of versions) {
    const finding = await observeUntil(parts, task, version, version.isNew ? 0 : task.settleMs);
    const held = finding.kind === "served" ? undefined : await heldReport(parts, task, version);
    if (finding.kind === "served") reports.push(await recordServed(parts, task, version, "served"));
    else if (held) reports.push(held);
    else behind.push(version);
  }
  if (behind.length === 0) return reports;
  return [...reports, ...(await bringUpToDate(parts, task, behind))];
}

async function bringUpToDate(
  parts: DeployParts,
  task: DeployTask,
  behind: readonly DeployableVersion[],
): Promise<DeployReport[]> {
  const { target, log, signal } = task;
  try {
    await target.test(signal);
    log.debug("configuration.tested", { target: target.name });
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof ConfigurationRejectedError)
      return dealWithRejection(parts, task, { behind, rejection: thrown });
    return recordFailures(parts, task, behind, thrown);
  }
  return reloadAndVerify(parts, task, behind);
}

// A second time for what the server keeps an older text of: it goes on with what it had read when time and inode of a file
// are the same, as after a copy over it.
async function reloadAndVerify(parts: DeployParts, task: DeployTask, behind: readonly DeployableVersion[]) {
  const { target, log, signal } = task;
  const reports: DeployReport[] = [];
  let left = behind;
  try {
    for (const isRepaired of [false, true]) {
      await target.reload(signal);
      log.info("target.reloaded", { target: target.name, lineages: left.map(({ lineage }) => lineage) });
      const kept: DeployableVersion[] = [];
      const verified = left.map(async (version): Promise<DeployReport[]> => {
        const finding = await verify(parts, task, version);
        if (finding.kind === "served") return [await recordServed(parts, task, version, "deployed")];
        if (!finding.isKept || isRepaired)
          return recordFailures(parts, task, [version], new NotServedError(version.lineage, finding));
        kept.push(version);
        return [];
      });
      reports.push(...(await Promise.all(verified)).flat());
      left = kept;
      if (left.length === 0) break;
      for (const version of left) await renewTimes(parts, task, version);
    }
    return reports;
  } catch (thrown) {
    signal.throwIfAborted();
    return [...reports, ...(await recordFailures(parts, task, left, thrown))];
  }
}

async function renewTimes({ store, clock }: DeployParts, task: DeployTask, { lineage, version }: DeployableVersion) {
  await store.touch(lineage, version, clock.now());
  const did = `gave its files a new time, as ${task.target.name} went on with what had been in them before`;
  task.log.warn("lineage.repaired", { lineage, did });
}

// A graceful reload takes some milliseconds: new workers first, then the old ones stop accepting. In between both answer,
// so a second look has the last word.
async function verify(parts: DeployParts, task: DeployTask, version: DeployableVersion): Promise<ServedFinding> {
  const first = await observeUntil(parts, task, version, parts.servedWithinMs);
  if (first.kind === "served") await parts.clock.sleep(SECOND_LOOK_MS, task.signal);
  return observeUntil(parts, task, version, SECOND_LOOK_WITHIN_MS);
}

/** Looks until the version is served or `withinMs` have passed; at least once. */
async function observeUntil(
  parts: DeployParts,
  { target, signal }: DeployTask,
  version: DeployableVersion,
  withinMs: number,
): Promise<ServedFinding> {
  const deadline = parts.clock.now().getTime() + withinMs;
  let pauseMs = 20;
  let leftMs = withinMs;
  let finding = await target.observe(version, signal);
  // By the clock, and by what was slept: a clock that is set back must not keep us here for a day.
  while (finding.kind === "not-served" && leftMs > 0 && parts.clock.now().getTime() < deadline) {
    await parts.clock.sleep(pauseMs, signal);
    leftMs -= pauseMs;
    pauseMs = Math.min(pauseMs * 2, 500);
    finding = await target.observe(version, signal);
  }
  return finding;
}

type Rejection = { readonly behind: readonly DeployableVersion[]; readonly rejection: ConfigurationRejectedError };

async function dealWithRejection(
  parts: DeployParts,
  task: DeployTask,
  { behind, rejection }: Rejection,
): Promise<DeployReport[]> {
  const guilty = await findGuilty(parts, task, behind);
  const names = guilty.map(({ lineage }) => lineage);
  task.log.error("configuration.rejected", { target: task.target.name, ...toFailure(rejection), lineages: names });
  if (guilty.length === 0) return recordFailures(parts, task, behind, rejection);
  const reports: DeployReport[] = [];
  for (const version of guilty) reports.push(await recordRejection(parts, task, version, rejection));
  const innocent = behind.filter((version) => !guilty.includes(version));
  return innocent.length === 0 ? reports : [...reports, ...(await bringUpToDate(parts, task, innocent))];
}

async function recordFailures(
  parts: DeployParts,
  task: DeployTask,
  versions: readonly DeployableVersion[],
  thrown: unknown,
) {
  const reports: DeployReport[] = [];
  for (const version of versions) reports.push(await recordDeployFailure(parts, task, version, thrown));
  return reports;
}
