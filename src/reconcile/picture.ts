import { alarmAt, type Failure, type Validity } from "../certificate/index.ts";
import type { CertificateReport, DeployReport, RunReport } from "./run-report.ts";

/** Something that isn't as it should be: `message` says what, and why. */
export type Problem = Failure & {
  readonly lineage?: string | undefined;
  readonly target?: string | undefined;
  /** A step towards what is desired was not done: what exit codes say. */
  readonly isUnreached: boolean;
  /** An operator has to act, trying again by itself may be too late: what health says. */
  readonly isAlarm: boolean;
};

/** What a picture is made of. */
export type Sight = Pick<
  RunReport,
  "certificates" | "deploys" | "missing" | "failure" | "settingsFailure" | "fallbackFailure" | "clockAheadMs"
>;

/** How things are: what was seen, by a run or by who was asked, and the one judgement on it. */
export type Picture = Sight & {
  readonly at: Date;
  readonly problems: readonly Problem[];
  /** Each certificate is good and served, and no target is missing. */
  readonly isWell: boolean;
};

/** Judges what was seen as it is at `at`: certificates come to their end though nothing else happens. Pure. */
export function pictureOf(sight: Sight, at: Date): Picture {
  const { deploys, missing = [], failure, settingsFailure, fallbackFailure, clockAheadMs } = sight;
  const certificates = sight.certificates.map((one) => asShown(one, deploys));
  const isUnfailing =
    failure === undefined && missing.length === 0 && deploys.every((one) => !one.failure || one.shown);
  const problems = [
    ...(settingsFailure ? [{ ...settingsFailure, ...FAILED }] : []),
    ...(failure ? [{ ...failure, ...FAILED }] : certificates.flatMap((one) => owed(one, at))),
    ...missing.map((one) => ({ ...one.failure, ...FAILED, target: one.name })),
    ...deploys.flatMap(unserved),
    ...(fallbackFailure ? [{ ...fallbackFailure, isUnreached: false, isAlarm: true }] : []),
    ...(clockAheadMs === undefined ? [] : [wrongClock(clockAheadMs)]),
  ];
  return { ...sight, at, problems, isWell: isUnfailing && certificates.every(({ validity }) => isGood(validity, at)) };
}

/** Whether a certificate is good: it can be read, so that its life is known, and hasn't expired. */
export function isGood(validity: Validity | undefined, at: Date): validity is Validity {
  return validity !== undefined && at <= validity.notAfter;
}

/** Whether a run has reached what is desired: every certificate good on disk, and served by every target. */
export function isReached(report: RunReport): boolean {
  return !pictureOf(report, report.finishedAt).problems.some(({ isUnreached }) => isUnreached);
}

// Put back is a renewal that failed, and no more: the run that tries it judges it as those do that come in between.
function asShown(one: CertificateReport, deploys: readonly DeployReport[]): CertificateReport {
  const { failure, shown } = deploys.find(({ lineage, shown }) => shown && lineage === one.lineage) ?? {};
  return shown ? { ...one, outcome: "held", failure, validity: shown } : one;
}

const FAILED = { isUnreached: true, isAlarm: true };

const UNTRIED = {
  // A certificate comes to its end though no try has failed: none is made, as with `autorenew = False` or `--dry-run`.
  code: "CERTIFICATE_LAPSING",
  remedy: "Run status, which says what its next step waits for.",
};

function owed(certificate: CertificateReport, at: Date): Problem[] {
  const { lineage, failure, outcome } = certificate;
  const lapse = lapseOf(certificate, at);
  const isUnreached = failure !== undefined || outcome === "failed" || outcome === "held";
  if (lapse === undefined && !isUnreached) return [];
  const message = because(lapse ?? `${lineage} has no new version`, failure);
  // A conf doesn't mend itself.
  const isAlarm = lapse !== undefined || failure?.code === "RENEWAL_CONF_UNREADABLE";
  return [{ ...UNTRIED, ...failure, message, lineage, isUnreached, isAlarm }];
}

// A server may have what we can't read.
const UNREAD = /^(?:STORE|LINEAGE|RENEWAL_CONF)_/;

function lapseOf({ lineage, validity, outcome, nextAt, failure }: CertificateReport, at: Date): string | undefined {
  if (!validity && outcome === "rehearsal-only") return undefined;
  if (!validity) return `${lineage} has no certificate${UNREAD.test(failure?.code ?? "") ? " that can be read" : ""}`;
  const end = validity.notAfter.toISOString();
  if (!isGood(validity, at)) return `${lineage} expired at ${end}`;
  // The CA may suggest to renew that late.
  const isPlanned = outcome === "not-due" && nextAt !== undefined && nextAt > at;
  return at > alarmAt(validity) && !isPlanned ? `${lineage} ends at ${end} and is not renewed` : undefined;
}

function unserved({ target, lineage, failure, shown }: DeployReport): Problem[] {
  if (!failure || shown) return [];
  return [{ ...failure, ...FAILED, message: because(`${target} doesn't serve ${lineage}`, failure), target, lineage }];
}

function wrongClock(aheadMs: number): Problem {
  const side = aheadMs > 0 ? "behind" : "ahead of";
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  const message = `this machine's clock is ${minutes} minutes ${side} the CA's: set it right (NTP)`;
  const remedy = "Set this machine's clock right (NTP).";
  return { code: "CLOCK_WRONG", message, remedy, isUnreached: false, isAlarm: true };
}

function because(what: string, failure: Failure | undefined): string {
  return failure ? `${what}: ${failure.message}` : what;
}
