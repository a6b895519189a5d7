import { toFailure } from "../certificate/index.ts";
import { deployToTarget } from "./deploy-step.ts";
import type { DeployableVersion } from "./deploy-task.ts";
import type { DeployTarget, FoundTargets } from "./deploy-target.ts";
import type { Log } from "./log.ts";
import type { ReconcileParts, Run } from "./run.ts";
import type { CertificateReport, DeployReport, RunReport } from "./run-report.ts";

/** When to look again for targets that can't be reached: nothing else may tell us that they have come back. */
export const TARGET_RETRY_MS = 10 * 60_000;

// From Docker's start event to nginx listening; acting sooner would only meet a server without a pid file.
const STARTING_TARGET_MS = 3000;

/** What a run did at the targets. */
export type Deployed = Pick<RunReport, "deploys" | "targetsUnavailable" | "targetsOff">;

/** The result of a run that has nothing to deploy. */
export const NOTHING_TO_DEPLOY: Deployed = { deploys: [], targetsOff: [] };

/**
 * Makes each target that can be found serve what is on disk, one target after the other. One target never stops the
 * others. Never throws, except the signal's reason.
 */
export async function deployAll(
  parts: ReconcileParts,
  run: Run,
  certificates: readonly CertificateReport[],
): Promise<Deployed> {
  const versions = certificates.flatMap(toDeployable);
  if (versions.length === 0) return NOTHING_TO_DEPLOY;
  const found = await parts.finder.find(run.signal);
  tellFound(found, versions, run.log);
  const deploys: DeployReport[] = [];
  for (const target of found.targets) deploys.push(...(await deployTo(parts, run, { target, versions })));
  return { deploys, targetsUnavailable: found.unavailable, targetsOff: found.off };
}

function tellFound(found: FoundTargets, versions: readonly DeployableVersion[], log: Log): void {
  const lineages = versions.map(({ lineage }) => lineage);
  if (found.unavailable) log.warn("deploy.postponed", { ...found.unavailable, lineages });
  for (const { name, reason } of found.off) log.debug("target.skipped", { target: name, reason });
}

type OneTarget = { readonly target: DeployTarget; readonly versions: readonly DeployableVersion[] };

async function deployTo(parts: ReconcileParts, run: Run, { target, versions }: OneTarget): Promise<DeployReport[]> {
  const { mode, log, signal } = run;
  const isStarting = mode.trigger === "target-started" || mode.trigger === "start";
  const isEager = isStarting || mode.trigger === "command" || mode.trigger === "signal";
  const settleMs = isStarting ? STARTING_TARGET_MS : 0;
  try {
    return await deployToTarget(parts, { target, versions, isEager, settleMs, log, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    const failure = toFailure(thrown);
    log.error("deploy.failed", { target: target.name, ...failure });
    const nextAt = new Date(parts.clock.now().getTime() + TARGET_RETRY_MS);
    return versions.map(({ lineage }) => ({ target: target.name, lineage, outcome: "failed", failure, nextAt }));
  }
}

function toDeployable(report: CertificateReport): DeployableVersion[] {
  const { lineage, identifiers, outcome, version, fingerprint, validity } = report;
  if (version === undefined || !fingerprint || !validity) return [];
  const isNew = outcome === "issued" || outcome === "renewed";
  return [{ lineage, identifiers, version, fingerprint, notAfter: validity.notAfter, isNew }];
}
