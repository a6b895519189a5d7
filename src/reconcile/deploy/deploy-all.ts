import { lookAgainAt, mapLimited, toFailure } from "../../certificate/index.ts";
import type { Log } from "../../ports/index.ts";
import { deployToTarget } from "./deploy.ts";
import { DeployRound } from "./round.ts";
import type { DeployContext } from "./context.ts";
import type { Found, Version } from "./target.ts";
import type { DesiredCertificate } from "../issue/desired.ts";
import { versionsFor, versionsToServe } from "./owners.ts";
import { searchTargets } from "./search.ts";
import type { ReconcileParts, Run } from "../run.ts";
import type { CertificateReport, DeployReport, RunReport } from "../run-report.ts";

// From Docker's start event to nginx listening; acting sooner would only meet a server without a pid file.
const STARTING_TARGET_MS = 3000;

/** What a run did at the targets. */
export type Deployed = Pick<RunReport, "deploys" | "missing" | "targetsOff">;

/** How a run has left the disk: every certificate on it, and what it did for those it was about. */
export type Outcome = {
  readonly settled: readonly DesiredCertificate[];
  readonly certificates: readonly CertificateReport[];
  /** Each lineage that is there or wanted, in whatever state. */
  readonly known: readonly string[];
};

/** The result of a run that has nothing to deploy. */
export const NOTHING_TO_DEPLOY: Deployed = { deploys: [], targetsOff: [] };

/**
 * Makes each target that can be found serve what is on disk, all of them side by side. One target never stops the others.
 * Never throws, except the signal's reason.
 */
export async function deployAll(parts: ReconcileParts, run: Run, outcome: Outcome): Promise<Deployed> {
  const reports = new Map(outcome.certificates.map((report) => [report.lineage, report]));
  const isNew = (lineage: string) => isNewVersion(reports.get(lineage));
  const all = versionsToServe(parts.store, outcome.settled, isNew);
  const isAbout = ({ lineage }: Pick<Version, "lineage">) => reports.has(lineage);
  if (!outcome.settled.some((one) => one.current && isAbout(one))) return NOTHING_TO_DEPLOY;
  const found = await searchTargets(parts, outcome.known, run.signal);
  tellFound(found, all.filter(isAbout), run.log);
  const round = new DeployRound(found.targets.length);
  const deploys = await mapLimited(found.targets, found.targets.length, (target) => {
    const certificates = versionsFor(target, { store: parts.store, desired: outcome.settled, isNew });
    const whole = { certificates, lineages: outcome.known.filter((lineage) => target.wants(lineage)) };
    return deployTo(parts, run, { target, round, versions: certificates.filter(isAbout), whole });
  });
  return { deploys: deploys.flat(), missing: found.missing, targetsOff: found.off };
}

function tellFound(found: Found, versions: readonly Version[], log: Log): void {
  const lineages = versions.map(({ lineage }) => lineage);
  for (const { failure } of found.missing) log.warn("deploy.postponed", { ...failure, lineages });
  for (const { name, reason, isFault } of found.off)
    log[isFault ? "warn" : "debug"]("target.skipped", { target: name, reason });
}

type OneTarget = Pick<DeployContext, "target" | "round" | "versions" | "whole">;

async function deployTo(parts: ReconcileParts, run: Run, one: OneTarget): Promise<DeployReport[]> {
  const { target, versions } = one;
  const { request, log, signal } = run;
  const isStarting = request.trigger === "target-started" || request.trigger === "start";
  const isAsked = request.trigger === "command" || request.trigger === "signal";
  const isEager = isAsked || (isStarting && !target.isCostly);
  const settleMs = isStarting ? STARTING_TARGET_MS : 0;
  try {
    return await deployToTarget({ ...parts, ...one, isEager, settleMs, log, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    const failure = toFailure(thrown);
    log.error("deploy.failed", { target: target.name, ...failure });
    const nextAt = lookAgainAt(parts.clock.now());
    return versions.map(({ lineage }) => ({ target: target.name, lineage, outcome: "failed", failure, nextAt }));
  }
}

/** Whether a run has put this version on disk. */
export function isNewVersion(report: CertificateReport | undefined): boolean {
  return report?.outcome === "issued" || report?.outcome === "renewed";
}
