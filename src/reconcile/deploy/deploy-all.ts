import { identifierKey, toFailure } from "../../certificate/index.ts";
import type { Log } from "../../ports/index.ts";
import { deployToTarget } from "./deploy.ts";
import type { DeployableVersion } from "./context.ts";
import type { DeployTarget, Found } from "./target.ts";
import type { DesiredCertificate } from "../issue/desired.ts";
import { assignNames } from "./owners.ts";
import type { ReconcileParts, Run } from "../run.ts";
import type { CertificateReport, DeployReport, RunReport } from "../run-report.ts";

/** When to look again for targets that can't be reached: nothing else may tell us that they have come back. */
export const TARGET_RETRY_MS = 10 * 60_000;

// From Docker's start event to nginx listening; acting sooner would only meet a server without a pid file.
const STARTING_TARGET_MS = 3000;

/** What a run did at the targets. */
export type Deployed = Pick<RunReport, "deploys" | "missing" | "targetsOff">;

/** How a run has left the disk: every certificate on it, and what it did for those it was about. */
export type Outcome = {
  readonly settled: readonly DesiredCertificate[];
  readonly certificates: readonly CertificateReport[];
};

/** The result of a run that has nothing to deploy. */
export const NOTHING_TO_DEPLOY: Deployed = { deploys: [], targetsOff: [] };

/**
 * Makes each target that can be found serve what is on disk, one target after the other. One target never stops the
 * others. Never throws, except the signal's reason.
 */
export async function deployAll(parts: ReconcileParts, run: Run, outcome: Outcome): Promise<Deployed> {
  const versions = deployableVersions(outcome);
  if (versions.length === 0) return NOTHING_TO_DEPLOY;
  const found = await parts.finder.find(run.signal);
  tellFound(found, versions, run.log);
  const deploys: DeployReport[] = [];
  for (const target of found.targets) {
    // What one target has refused has been put back: the others have nothing new to serve.
    const isPutBack = ({ lineage }: DeployableVersion) =>
      deploys.some((one) => one.lineage === lineage && isRejection(one));
    const shown = versions.filter((version) => !isPutBack(version));
    deploys.push(...(await deployTo(parts, run, { target, versions: shown })));
  }
  return { deploys, missing: found.missing, targetsOff: found.off };
}

function isRejection({ failure }: DeployReport): boolean {
  return failure?.code === "TARGET_CERTIFICATE_REJECTED";
}

function tellFound(found: Found, versions: readonly DeployableVersion[], log: Log): void {
  const lineages = versions.map(({ lineage }) => lineage);
  for (const { failure } of found.missing) log.warn("deploy.postponed", { ...failure, lineages });
  for (const { name, reason } of found.off) log.debug("target.skipped", { target: name, reason });
}

type OneTarget = { readonly target: DeployTarget; readonly versions: readonly DeployableVersion[] };

async function deployTo(parts: ReconcileParts, run: Run, { target, versions }: OneTarget): Promise<DeployReport[]> {
  const { request, log, signal } = run;
  const isStarting = request.trigger === "target-started" || request.trigger === "start";
  const isEager = isStarting || request.trigger === "command" || request.trigger === "signal";
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

/** Whether a run has put this version on disk. */
export function isNewVersion({ outcome }: CertificateReport): boolean {
  return outcome === "issued" || outcome === "renewed";
}

// A target is asked for the names that are a lineage's own; one without any is kept for whoever else reads it.
function deployableVersions({ settled, certificates }: Outcome): DeployableVersion[] {
  const reports = new Map(certificates.map((report) => [report.lineage, report]));
  const owned = new Map(assignNames(settled).map(({ lineage, identifiers }) => [lineage, identifiers]));
  return settled.flatMap(({ lineage, current }): DeployableVersion[] => {
    const report = reports.get(lineage);
    if (!report || !current) return [];
    const { fingerprint, validity, identifiers: covered } = current.leaf;
    const names = new Set(owned.get(lineage)?.map(identifierKey));
    const identifiers = covered.filter((identifier) => names.has(identifierKey(identifier)));
    if (identifiers.length === 0) return [];
    return [{ lineage, identifiers, version: current.version, fingerprint, validity, isNew: isNewVersion(report) }];
  });
}
