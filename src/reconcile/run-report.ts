import { toFailure, type Failure, type Identifier, type Validity } from "../certificate/index.ts";
import type { MissingTarget } from "./deploy/target.ts";
import type { IssueReason } from "./issue/facts.ts";
import type { StoredLineage } from "./lineage-store.ts";

/** How one run left one certificate on disk. */
export type CertificateOutcome =
  "issued" | "renewed" | "not-due" | "held" | "rehearsed" | "rehearsal-only" | "left-alone" | "failed";

/** What one run did for one certificate. */
export type CertificateReport = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly outcome: CertificateOutcome;
  readonly because?: IssueReason | undefined;
  readonly version?: number | undefined;
  readonly fingerprint?: string | undefined;
  readonly validity?: Validity | undefined;
  /** When something is to be done for it next by itself. */
  readonly nextAt?: Date | undefined;
  /** When it is to be looked at before that: the CA is asked again, or looked at. */
  readonly wakeAt?: Date | undefined;
  /** The CA suggests when to renew it, and where it says why. */
  readonly renewalInfo?:
    { readonly renewAt?: Date | undefined; readonly explanationUrl?: string | undefined } | undefined;
  /** Why it failed; also for `held`: the failure that it is waiting after. */
  readonly failure?: Failure | undefined;
};

/** How one run left one certificate at one target. */
export type DeployReport = {
  readonly target: string;
  readonly lineage: string;
  readonly nextAt?: Date | undefined;
  /** The life of the version before, where this one was put back to it: that is served. */
  readonly shown?: Validity;
  /** Nobody can be asked what it serves: that it was given the certificate is all that is known. */
  readonly isUnseen?: true;
} & (
  | { readonly outcome: "served" | "deployed"; readonly failure?: undefined } // already so; made so by this run
  | { readonly outcome: "held" | "failed"; readonly failure: Failure } // not so: next try later; after a try
);

/** Everything that one run found and did; what the command prints, and what `picture.ts` judges. */
export type RunReport = {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly certificates: readonly CertificateReport[];
  readonly deploys: readonly DeployReport[];
  /** Targets that wait to be deployed to; undefined where none was searched for. */
  readonly missing?: readonly MissingTarget[] | undefined;
  readonly targetsOff: readonly { readonly name: string; readonly reason: string }[];
  /** How far the CA's clock is ahead of ours, in milliseconds, negative when behind; only when it is too far. */
  readonly clockAheadMs?: number | undefined;
  /** What is written to the tree goes with the container. */
  readonly ephemeralStorage?: { readonly message: string; readonly remedy: string } | undefined;
  /** What is wrong with the settings; the run was made with what is right. */
  readonly settingsFailure?: Failure | undefined;
  /** Why there is no account at the fallback CA, where an operator has to mend that. */
  readonly fallbackFailure?: Failure | undefined;
  /** A failure that ended the run before it could look at the certificates. */
  readonly failure?: Failure | undefined;
  /** It was the command's: it asked for something that there isn't. */
  readonly isUsageProblem?: boolean | undefined;
  /** The earliest moment at which something is due by itself. */
  readonly nextAt?: Date | undefined;
};

/** The report on a lineage that can't be read and that the settings don't name. */
export function unreadableReport({ name, problem }: StoredLineage): CertificateReport {
  return { lineage: name, identifiers: [], outcome: "failed", failure: toFailure(problem) };
}

/** The report on all certificates, brought up to date by a later one on some of them. */
export function mergeReports(whole: RunReport, part: RunReport): RunReport {
  const renewed = new Set(part.certificates.map(({ lineage }) => lineage));
  const isOther = ({ lineage }: { readonly lineage: string }) => !renewed.has(lineage);
  return {
    ...whole,
    certificates: [...whole.certificates.filter(isOther), ...part.certificates],
    deploys: [...whole.deploys.filter(isOther), ...part.deploys],
    missing: part.missing ?? whole.missing,
    clockAheadMs: part.clockAheadMs,
  };
}
