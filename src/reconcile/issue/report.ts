import {
  lookAgainAt,
  nextRenewalInfoAt,
  renewalInfoMoment,
  toFailure,
  whenNext,
  type NextFacts,
} from "../../certificate/index.ts";
import type { CertificateReport } from "../run-report.ts";
import type { IssueDecision } from "./decision.ts";
import type { DesiredCertificate } from "./desired.ts";
import type { IssueFacts } from "./facts.ts";

/** What a report on a certificate says of the version on disk. */
export function onDisk({ lineage, identifiers, current }: DesiredCertificate) {
  if (!current) return { lineage, identifiers };
  const { fingerprint, validity } = current.leaf;
  return { lineage, identifiers, version: current.version, fingerprint, validity };
}

type Known = Pick<IssueFacts, "desired" | "renewalInfo" | "now">;

/** The report on a certificate as long as a decision on it isn't carried out. Pure. */
export function reportOf(known: Known, decision: IssueDecision): CertificateReport {
  const { outcome, because, failure } = outcomeOf(known, decision);
  const { renewalInfo } = questionOf(known);
  const common = { ...onDisk(known.desired), outcome, because, failure, renewalInfo };
  return withNext(common, afterDecision(known, decision));
}

type Came = Pick<CertificateReport, "outcome" | "because" | "failure">;

function outcomeOf({ desired }: Known, decision: IssueDecision): Came {
  switch (decision.kind) {
    case "issue":
      return { outcome: "held", because: decision.because };
    case "show-again":
      return { outcome: "held", because: "put-back" };
    case "current":
      return { outcome: "not-due" };
    case "hold":
      return { outcome: "held", because: decision.because, failure: decision.problem };
    case "rehearsal-only":
      return { outcome: "rehearsal-only", because: decision.because };
    case "left-alone":
      return { outcome: "left-alone" };
    case "refused":
      return { outcome: desired.waitsFor ? "held" : "failed", failure: toFailure(decision.problem) };
  }
}

/** A report with the moments at which something is due. Pure: the only place that says so. */
export function withNext(report: CertificateReport, facts: Omit<NextFacts, "validity">): CertificateReport {
  const due = whenNext({ ...facts, validity: report.validity });
  const isStep = (why: string) => why === "renewal" || why === "try";
  return { ...report, nextAt: due.find(({ why }) => isStep(why))?.at, wakeAt: due.find(({ why }) => !isStep(why))?.at };
}

/** What a decision that isn't carried out makes due. Pure. */
export function afterDecision(known: Known, decision: IssueDecision): Omit<NextFacts, "validity"> {
  const { now } = known;
  const { questionAt } = questionOf(known);
  switch (decision.kind) {
    case "issue":
    case "show-again":
      return { now, questionAt, tryAt: now };
    case "current":
      return { now, questionAt, renewAt: decision.until };
    case "hold":
      return { now, questionAt, tryAt: decision.until, lookAt: decision.recheckAt };
    case "refused":
      // Other settings come with another process.
      return { now, questionAt, lookAt: known.desired.waitsFor ? undefined : lookAgainAt(now) };
    case "rehearsal-only":
    case "left-alone":
      return { now, questionAt };
  }
}

// The CA is to be asked again before the renewal: the window may move.
function questionOf({ desired: { current, settings }, renewalInfo }: Known) {
  const certificateId = current?.leaf.certificateId;
  if (!renewalInfo || certificateId !== renewalInfo.certificateId || !settings.autorenew) return {};
  const { explanationUrl } = renewalInfo;
  return {
    questionAt: nextRenewalInfoAt(renewalInfo, certificateId),
    renewalInfo: { renewAt: renewalInfoMoment(renewalInfo, certificateId), explanationUrl },
  };
}
