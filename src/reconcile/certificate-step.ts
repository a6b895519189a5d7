import { planRenewal, toFailure } from "../certificate/index.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
import { decideIssue } from "./issue-decision.ts";
import { issueVersion, rehearse } from "./issue-step.ts";
import type { ReconcileParts, Run } from "./run.ts";
import type { CertificateReport } from "./run-report.ts";

/** Brings one certificate on disk to where it should be, or rehearses that. Never throws, except the signal's reason. */
export async function bringOnDisk(
  parts: ReconcileParts,
  run: Run,
  desired: DesiredCertificate,
): Promise<CertificateReport> {
  try {
    return await decideAndDo(parts, run, desired);
  } catch (thrown) {
    run.signal.throwIfAborted();
    // Its state can't be read: without it nobody knows what the CA has been asked for already.
    const failure = toFailure(thrown);
    run.log.error("lineage.failed", { lineage: desired.lineage, ...failure });
    return { lineage: desired.lineage, identifiers: desired.identifiers, outcome: "failed", failure };
  }
}

async function decideAndDo(parts: ReconcileParts, run: Run, desired: DesiredCertificate): Promise<CertificateReport> {
  const { mode, log, signal } = run;
  if (mode.dryRun) return rehearse(parts, { desired, log, signal });
  const { lineage, identifiers, current } = desired;
  const state = await parts.store.loadState(lineage);
  const decision = decideIssue({ desired, attempts: state.issue, policy: parts.policy, mode, now: parts.clock.now() });
  const onDisk = current && {
    version: current.version,
    fingerprint: current.leaf.fingerprint,
    validity: current.leaf.validity,
  };
  const common = { lineage, identifiers, ...onDisk };
  switch (decision.kind) {
    case "issue":
      return withNextRenewal(parts, await issueVersion(parts, { desired, because: decision.because, log, signal }));
    case "current":
      return { ...common, outcome: "not-due", nextAt: decision.until };
    case "hold":
      log.debug("attempt.deferred", { lineage, because: decision.because, until: decision.until });
      return {
        ...common,
        outcome: "held",
        because: decision.because,
        nextAt: decision.until,
        failure: state.issue.lastFailure,
      };
    case "rehearsal-only":
      log.warn("option.ignored", {
        lineage,
        option: "--dry-run",
        because: "no order is placed by itself while it is set",
      });
      return { ...common, outcome: "rehearsal-only", because: decision.because };
    case "left-alone":
      return { ...common, outcome: "left-alone" };
    case "refused": {
      const failure = toFailure(decision.problem);
      log.error("lineage.failed", { lineage, ...failure });
      return { ...common, outcome: "failed", failure };
    }
  }
}

function withNextRenewal(parts: ReconcileParts, report: CertificateReport): CertificateReport {
  if (report.nextAt || !report.validity) return report;
  const now = parts.clock.now();
  const plan = planRenewal(report.validity, now);
  return { ...report, nextAt: plan.kind === "wait" ? plan.until : now };
}
