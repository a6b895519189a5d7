import {
  asOperatorError,
  lifetimeMs,
  planRenewal,
  exactSetKey,
  planRetry,
  toFailure,
  type FailureOrigin,
  type Validity,
} from "../../certificate/index.ts";
import type { DesiredCertificate } from "./desired.ts";
import { AlreadyDueError, AttemptInterruptedError } from "../errors.ts";
import type { IssueContext } from "./context.ts";
import type { AttemptState } from "../lineage-state.ts";
import { firstDirectory } from "./order-plan.ts";
import type { KnownCertificate } from "./put-back.ts";
import type { StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";

type Next = Pick<CertificateReport, "failure" | "nextAt">;

// A certificate that is renewed in the first quarter of its life because the CA suggests so, again and again, means a CA gone
// wrong. The longest pause after that is an eighth of the life: it must not look like patience of the CA's.
const HASTY_SHARE = 1 / 4;

/** Writes down a try as failed, with its back-off, before the CA hears of it. Throws OperatorError when that can't be written. */
export async function recordStart(parts: StepParts, { desired, order }: IssueContext, startedAt: Date): Promise<void> {
  const { store, policy } = parts;
  const state = await store.loadState(desired.lineage);
  // Failures with other settings say nothing of these.
  const isComparable = state.issue.settingsDigest === policy.settingsDigest;
  const failures = isComparable ? state.issue.failures + 1 : 1;
  const known = isComparable ? state.issue : withoutCaFailures(state.issue);
  const issue: AttemptState = {
    ...known,
    failures,
    startedAt: startedAt.toISOString(),
    lastFailedAt: startedAt.toISOString(),
    // What a death in the middle leaves to be read.
    lastFailure: toFailure(new AttemptInterruptedError(desired.lineage, startedAt)),
    // A start that dies must not be looked past at the next one: the pause before a probe begins anew.
    atCa: known.atCa && withRestarted(known.atCa, order.directoryUrl, startedAt),
    lastDirectoryUrl: order.directoryUrl,
    lastNames: exactSetKey(desired.identifiers),
    isFallbackTried: known.isFallbackTried || order.directoryUrl === policy.fallbackDirectoryUrl || undefined,
    nextAttemptAt: planNext(parts, desired, failures).toISOString(),
    settingsDigest: policy.settingsDigest,
  };
  await store.saveState(desired.lineage, { ...state, issue });
}

/**
 * Writes down that a version is on disk. One that is due when it arrives would be ordered again at once, for ever, so it
 * counts as a failed try; and one that the CA wants renewed soon after the last one has a pause before the next.
 */
export async function recordSuccess(parts: StepParts, context: IssueContext, validity: Validity): Promise<Next> {
  const { desired, order } = context;
  const state = await parts.store.loadState(desired.lineage);
  const now = parts.clock.now();
  const first = firstDirectory({ desired, attempts: state.issue, policy: parts.policy });
  const success: AttemptState = {
    failures: 0,
    lastSuccessAt: now.toISOString(),
    settingsDigest: parts.policy.settingsDigest,
    lastDirectoryUrl: order.directoryUrl,
    fallback: order.directoryUrl === first ? undefined : { at: order.directoryUrl, first },
  };
  const pause = pauseAfter(parts, context, { validity, now, before: state.issue });
  await parts.store.saveState(desired.lineage, { ...state, issue: { ...success, ...pause.state } });
  return pause.next;
}

type Pause = { readonly state: Partial<AttemptState>; readonly next: Next };

type Success = { readonly validity: Validity; readonly now: Date; readonly before: AttemptState };

function pauseAfter(parts: StepParts, { desired, order }: IssueContext, success: Success): Pause {
  const { validity, now, before } = success;
  if (planRenewal({ validity }, now).kind === "due") {
    const failures = Math.max(1, before.failures);
    const failure = toFailure(new AlreadyDueError(desired.lineage, validity, now));
    const nextAt = planRetry({ failures, failedAt: now, validity }, parts.random);
    const at = { lastFailedAt: now.toISOString(), nextAttemptAt: nextAt.toISOString() };
    return { state: { failures, lastFailure: failure, ...at }, next: { failure, nextAt } };
  }
  if (order.because !== "renewal-info" || !isYoung(desired, now)) return { state: {}, next: {} };
  const hastyRenewals = (before.hastyRenewals ?? 0) + 1;
  const nextAttemptAt = planRetry({ failures: hastyRenewals, failedAt: now, validity }, parts.random).toISOString();
  return { state: { hastyRenewals, nextAttemptAt }, next: {} };
}

function isYoung({ current }: DesiredCertificate, now: Date): boolean {
  const validity = current?.leaf.validity;
  return validity !== undefined && now.getTime() - validity.notBefore.getTime() < lifetimeMs(validity) * HASTY_SHARE;
}

/** Writes down how a try has failed, and when the next one may be. A disk that is full is told and no more. */
export async function recordFailure(parts: StepParts, context: IssueContext, thrown: unknown): Promise<Next> {
  const { desired, order, log } = context;
  const { origin } = asOperatorError(thrown);
  const failure = toFailure(thrown);
  const state = await parts.store.loadState(desired.lineage);
  const failures = Math.max(1, state.issue.failures);
  const nextAt = planNext(parts, desired, failures);
  const { startedAt: _done, ...before } = state.issue;
  const now = parts.clock.now().toISOString();
  const isFirst = order.directoryUrl === firstDirectory({ desired, attempts: before, policy: parts.policy });
  const issue: AttemptState = {
    ...(isFirst ? countCaFailure(before, origin, now) : before),
    failures,
    lastFailure: failure,
    lastFailedAt: now,
    atCa: { ...before.atCa, [order.directoryUrl]: { failedAt: now, origin } },
    nextAttemptAt: nextAt.toISOString(),
    settingsDigest: parts.policy.settingsDigest,
  };
  // The start of the attempt is on the disk, with a back-off, or the order never went out.
  await parts.store.saveState(desired.lineage, { ...state, issue }).catch((cause: unknown) => {
    log.error("lineage.failed", { lineage: desired.lineage, ...toFailure(cause) });
  });
  log.error("lineage.failed", { lineage: desired.lineage, ...failure, attempt: failures, nextAt });
  return { failure, nextAt };
}

// Another CA can't help against a name that doesn't point here, nor against a disk that is full.
function countCaFailure(before: AttemptState, origin: FailureOrigin, now: string): AttemptState {
  if (!origin.startsWith("ca-")) return withoutCaFailures(before);
  // A beginning in the future was written by a clock that has been set back since.
  const known = before.caFailingSince;
  const caFailingSince = known !== undefined && new Date(known) < new Date(now) ? known : now;
  return { ...before, caFailingSince, caFailures: (before.caFailures ?? 0) + 1 };
}

function withoutCaFailures(before: AttemptState): AttemptState {
  return { ...before, atCa: undefined, caFailingSince: undefined, caFailures: undefined, isFallbackTried: undefined };
}

/**
 * Forgets that the first CA was failing, and that the version shown was put back: nothing is wanted now, and no target has
 * refused the version in the run that showed it. May run twice. Throws OperatorError.
 */
export async function forgetFailures({ store }: StepParts, { desired, state }: KnownCertificate): Promise<void> {
  const { putBack, ...issue } = state.issue;
  const isShown = putBack !== undefined && putBack === desired.current?.leaf.fingerprint;
  if (!isShown && issue.caFailingSince === undefined) return;
  // The pause that a hasty CA has got is no failure.
  const over = isShown && issue.failures > 0 && { failures: 0, lastFailure: undefined, nextAttemptAt: undefined };
  const next = { ...withoutCaFailures(issue), putBack: isShown ? undefined : putBack, ...over };
  await store.saveState(desired.lineage, { ...state, issue: next });
}

type CaFailures = NonNullable<AttemptState["atCa"]>;

function withRestarted(atCa: CaFailures, directoryUrl: string, startedAt: Date): CaFailures {
  const known = atCa[directoryUrl];
  return known ? { ...atCa, [directoryUrl]: { ...known, failedAt: startedAt.toISOString() } } : atCa;
}

// What the CA has asked for is in its ledger: it says nothing of other CAs.
function planNext(parts: StepParts, desired: DesiredCertificate, failures: number): Date {
  const validity = desired.current?.leaf.validity;
  return planRetry({ failures, failedAt: parts.clock.now(), validity }, parts.random);
}
