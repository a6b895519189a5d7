import {
  asOperatorError,
  planRenewal,
  planRetry,
  toFailure,
  type RetryRule,
  type Validity,
} from "../certificate/index.ts";
import type { CertificateAuthority, IssuedCertificate, IssueRequest } from "./certificate-authority.ts";
import type { Clock } from "./clock.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
import { AlreadyDueError, AttemptInterruptedError, MayNotActError } from "./errors.ts";
import type { IssueReason } from "./issue-decision.ts";
import type { AttemptState } from "./lineage-state.ts";
import type { LineageStore } from "./lineage-store.ts";
import type { Log } from "./log.ts";
import type { Policy } from "./policy.ts";
import type { CertificateReport } from "./run-report.ts";

/** What an issue step works with. */
export type IssueParts = {
  readonly ca: CertificateAuthority;
  readonly store: LineageStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly policy: Policy;
  /** Asked before each order: whether the lock is still ours. Never rejects. */
  readonly mayAct: () => Promise<boolean>;
};

/** One certificate for which a new version is to be ordered. */
export type IssueTask = {
  readonly desired: DesiredCertificate;
  readonly because: IssueReason;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/**
 * Orders a new version and puts it on disk. The attempt and its back-off are on disk before the CA hears of it, so that a
 * death at any line counts as a failed try. Never throws, except the signal's reason.
 */
export async function issueVersion(parts: IssueParts, task: IssueTask): Promise<CertificateReport> {
  const { desired, because, log, signal } = task;
  const startedAt = parts.clock.now();
  const common = { lineage: desired.lineage, identifiers: desired.identifiers, because };
  try {
    if (!(await parts.mayAct())) throw new MayNotActError(desired.lineage);
    await recordStart(parts, desired, startedAt);
    const issued = await parts.ca.issue(toRequest(parts.policy, desired), log, signal);
    const version = await install(parts, desired, issued);
    const doubt = await recordSuccess(parts, desired, version.leaf.validity);
    const outcome = desired.current ? "renewed" : "issued";
    const { fingerprint, validity } = version.leaf;
    const durationMs = parts.clock.now().getTime() - startedAt.getTime();
    log.info(`lineage.${outcome}`, {
      lineage: desired.lineage,
      version: version.version,
      because,
      ...validity,
      durationMs,
    });
    if (doubt.failure)
      log.error("lineage.failed", { lineage: desired.lineage, ...doubt.failure, nextAt: doubt.nextAt });
    return { ...common, outcome, version: version.version, fingerprint, validity, ...doubt };
  } catch (thrown) {
    if (signal.aborted) {
      log.warn("attempt.interrupted", { lineage: desired.lineage });
      throw thrown;
    }
    return { ...common, ...currentVersion(desired), outcome: "failed", ...(await recordFailure(parts, task, thrown)) };
  }
}

/** Rehearses the order: a throw-away key and account, at the CA's staging where it has one; nothing is kept. */
export async function rehearse(parts: IssueParts, task: Omit<IssueTask, "because">): Promise<CertificateReport> {
  const { desired, log, signal } = task;
  const common = { lineage: desired.lineage, identifiers: desired.identifiers, ...currentVersion(desired) };
  const { directoryUrl } = desired.settings;
  const request = toRequest(parts.policy, desired);
  try {
    const rehearsalUrl = parts.policy.stagingOf(directoryUrl) ?? directoryUrl;
    await parts.ca.issue({ ...request, directoryUrl: rehearsalUrl, account: "throw-away" }, log, signal);
    log.info("rehearsal.passed", { lineage: desired.lineage, directory: rehearsalUrl });
    return { ...common, outcome: "rehearsed" };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const failure = toFailure(thrown);
    log.error("lineage.failed", { lineage: desired.lineage, rehearsal: true, ...failure });
    return { ...common, outcome: "failed", failure };
  }
}

function toRequest(policy: Policy, desired: DesiredCertificate): IssueRequest {
  const { directoryUrl, keyType, webrootPath, accountId } = desired.settings;
  const { lineage, identifiers } = desired;
  return {
    lineage,
    identifiers,
    keyType,
    directoryUrl,
    accountId,
    email: policy.email,
    webrootPath,
    account: "stored",
  };
}

function install(parts: IssueParts, desired: DesiredCertificate, issued: IssuedCertificate) {
  const { lineage, identifiers } = desired;
  const settings = { ...desired.settings, accountId: issued.accountId };
  return parts.store.install({ lineage, identifiers, issued, settings }, parts.clock.now());
}

function currentVersion({ current }: DesiredCertificate) {
  if (!current) return {};
  return { version: current.version, fingerprint: current.leaf.fingerprint, validity: current.leaf.validity };
}

async function recordStart(parts: IssueParts, desired: DesiredCertificate, startedAt: Date): Promise<void> {
  const state = await parts.store.loadState(desired.lineage);
  // Failures with other settings say nothing of these.
  const isComparable = state.issue.settingsDigest === parts.policy.settingsDigest;
  const failures = isComparable ? state.issue.failures + 1 : 1;
  const issue: AttemptState = {
    ...state.issue,
    failures,
    // The version before this one has not been refused: the next refusal is the first again.
    rejections: state.issue.failures === 0 ? undefined : state.issue.rejections,
    startedAt: startedAt.toISOString(),
    lastFailedAt: startedAt.toISOString(),
    // What a death in the middle leaves to be read.
    lastFailure: toFailure(new AttemptInterruptedError(desired.lineage, startedAt)),
    nextAttemptAt: planNext(parts, desired, { failures, retry: "next-run" }).toISOString(),
    settingsDigest: parts.policy.settingsDigest,
  };
  await parts.store.saveState(desired.lineage, { ...state, issue });
}

type Doubt = Pick<CertificateReport, "failure" | "nextAt">;

// A certificate that is due when it arrives would be ordered again at once, for ever: it counts as a failed try.
async function recordSuccess(parts: IssueParts, desired: DesiredCertificate, validity: Validity): Promise<Doubt> {
  const state = await parts.store.loadState(desired.lineage);
  const now = parts.clock.now();
  const { rejections, caHolds: holds } = state.issue;
  const { settingsDigest } = parts.policy;
  // A success here says nothing of another CA that has asked for patience.
  const caHolds = holds && { ...holds, [desired.settings.directoryUrl]: undefined };
  const success = { lastSuccessAt: now.toISOString(), settingsDigest, rejections, caHolds };
  if (planRenewal(validity, now).kind === "wait") {
    await parts.store.saveState(desired.lineage, { ...state, issue: { ...success, failures: 0 } });
    return {};
  }
  const failures = Math.max(1, state.issue.failures);
  const failure = toFailure(new AlreadyDueError(desired.lineage, validity, now));
  const nextAt = planRetry({ failures, failedAt: now }, parts.random);
  const issue = {
    ...success,
    failures,
    lastFailure: failure,
    lastFailedAt: now.toISOString(),
    nextAttemptAt: nextAt.toISOString(),
  };
  await parts.store.saveState(desired.lineage, { ...state, issue });
  return { failure, nextAt };
}

async function recordFailure(
  parts: IssueParts,
  task: IssueTask,
  thrown: unknown,
): Promise<Pick<CertificateReport, "failure" | "nextAt">> {
  const { desired, log } = task;
  const failure = toFailure(thrown);
  const state = await parts.store.loadState(desired.lineage);
  const failures = Math.max(1, state.issue.failures);
  const nextAt = planNext(parts, desired, { failures, retry: asOperatorError(thrown).retry });
  const { startedAt: _done, ...before } = state.issue;
  const { retry } = asOperatorError(thrown);
  const asked = typeof retry === "object" && { [desired.settings.directoryUrl]: retry.notBefore.toISOString() };
  const issue = {
    ...before,
    caHolds: asked ? { ...before.caHolds, ...asked } : before.caHolds,
    failures,
    lastFailure: failure,
    lastFailedAt: parts.clock.now().toISOString(),
    nextAttemptAt: nextAt.toISOString(),
    settingsDigest: parts.policy.settingsDigest,
  };
  // The disk may be what failed. The start of the attempt is on it, with a back-off, or the order never went out.
  await parts.store.saveState(desired.lineage, { ...state, issue }).catch((cause: unknown) => {
    log.error("lineage.failed", { lineage: desired.lineage, ...toFailure(cause) });
  });
  log.error("lineage.failed", { lineage: desired.lineage, ...failure, attempt: failures, nextAt });
  return { failure, nextAt };
}

function planNext(parts: IssueParts, desired: DesiredCertificate, facts: { failures: number; retry: RetryRule }): Date {
  const { failures, retry } = facts;
  const notBefore = typeof retry === "object" ? retry.notBefore : undefined;
  const validity = desired.current?.leaf.validity;
  return planRetry({ failures, failedAt: parts.clock.now(), validity, notBefore }, parts.random);
}
