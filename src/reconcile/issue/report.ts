import { toFailure } from "../../certificate/index.ts";
import type { CertificateReport } from "../run-report.ts";
import type { IssueDecision } from "./decision.ts";
import type { DesiredCertificate } from "./desired.ts";

/** What a report on a certificate says of the version on disk. */
export function onDisk({ lineage, identifiers, current }: DesiredCertificate) {
  if (!current) return { lineage, identifiers };
  const { fingerprint, validity } = current.leaf;
  return { lineage, identifiers, version: current.version, fingerprint, validity };
}

/** The report on a certificate as long as a decision on it isn't carried out. Pure. */
export function reportOf(desired: DesiredCertificate, decision: IssueDecision): CertificateReport {
  const common = onDisk(desired);
  switch (decision.kind) {
    case "issue":
      return { ...common, outcome: "held", because: decision.because };
    case "show-again":
      return { ...common, outcome: "held", because: "put-back" };
    case "current":
      return { ...common, outcome: "not-due", nextAt: decision.until };
    case "hold": {
      const { because, until, problem: failure, recheckAt: wakeAt } = decision;
      return { ...common, outcome: "held", because, nextAt: until, wakeAt, failure };
    }
    case "rehearsal-only":
      return { ...common, outcome: "rehearsal-only", because: decision.because };
    case "left-alone":
      return { ...common, outcome: "left-alone" };
    case "refused":
      return { ...common, outcome: desired.waitsFor ? "held" : "failed", failure: toFailure(decision.problem) };
  }
}
