import {
  asOperatorError,
  lifetimeMs,
  planRenewal,
  exactSetKey,
  planRetry,
  toFailure,
  type Validity,
} from "../../certificate/index.ts";
import type { DesiredCertificate } from "./desired.ts";
import { AlreadyDueError, AttemptInterruptedError } from "../errors.ts";
import type { IssueContext } from "./context.ts";
import type { LineageState } from "../lineage-state.ts";
import { firstDirectory } from "./order-plan.ts";
import type { KnownCertificate } from "./put-back.ts";
import type { StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";
import {
  attemptsOf,
  comparable,
  withIssued,
  withOrderBegun,
  withOrderFailed,
  withPeace,
  type Attempts,
  type IssuedTry,
} from "../tries.ts";

/** An order, and when it was begun. */
export type Attempt = IssueContext & { readonly startedAt: Date };

type Next = Pick<CertificateReport, "failure" | "nextAt">;

// A certificate that is renewed in the first quarter of its life because the CA suggests so, again and again, means a CA gone
// wrong. The longest pause after that is an eighth of the life: it must not look like patience of the CA's.
const HASTY_SHARE = 1 / 4;

/** Writes down a try as failed, with its back-off, before the CA hears of it. Throws OperatorError when that can't be written. */
export async function recordStart(parts: StepParts, attempt: Attempt): Promise<void> {
  const { desired, startedAt } = attempt;
  const state = await parts.store.loadState(desired.lineage);
  const known = comparable(state.tries, parts.policy.settingsDigest);
  const failures = attemptsOf(known).failures + 1;
  const begun = {
    ...aboutOrder(parts, attempt),
    at: startedAt.toISOString(),
    failures,
    // What a death in the middle leaves to be read.
    failure: toFailure(new AttemptInterruptedError(desired.lineage, startedAt)),
    nextAttemptAt: planNext(parts, desired, failures).toISOString(),
  };
  await parts.store.saveState(desired.lineage, { ...state, tries: withOrderBegun(known, begun) });
}

/** Whether the order has been written down as begun. An order of before that came to nothing is a try. Throws OperatorError. */
export async function hasStarted({ store }: StepParts, { desired, startedAt }: Attempt): Promise<boolean> {
  return isUnderWay((await store.loadState(desired.lineage)).tries, startedAt);
}

function isUnderWay(tries: LineageState["tries"], startedAt: Date): boolean {
  return attemptsOf(tries).startedAt === startedAt.toISOString();
}

function aboutOrder({ policy }: StepParts, { desired, order: { directoryUrl: ca } }: Attempt) {
  const isFallback = ca === policy.fallbackDirectoryUrl || undefined;
  return { ca, isFallback, names: exactSetKey(desired.identifiers), settingsDigest: policy.settingsDigest };
}

/**
 * Writes down that a version is on disk. One that is due when it arrives would be ordered again at once, for ever, so it
 * counts as a failed try; and one that the CA wants renewed soon after the last one has a pause before the next.
 */
export async function recordSuccess(parts: StepParts, attempt: Attempt, validity: Validity): Promise<Next> {
  const { desired, order } = attempt;
  const state = await parts.store.loadState(desired.lineage);
  const attempts = attemptsOf(state.tries);
  const now = parts.clock.now();
  const { isFallback: _, ...about } = aboutOrder(parts, attempt);
  const first = firstDirectory({ desired, attempts, policy: parts.policy });
  const pause = pauseAfter(parts, attempt, { validity, now, before: attempts });
  const tries = withIssued(state.tries, {
    ...about,
    at: now.toISOString(),
    first: order.directoryUrl === first ? undefined : first,
    failures: 0,
    ...pause.written,
  });
  await parts.store.saveState(desired.lineage, { ...state, tries });
  return pause.next;
}

type Pause = { readonly written: Pick<IssuedTry, "isHasty"> & Partial<IssuedTry>; readonly next: Next };

type Success = { readonly validity: Validity; readonly now: Date; readonly before: Attempts };

function pauseAfter(parts: StepParts, { desired, order }: Attempt, { validity, now, before }: Success): Pause {
  const planned = (failures: number) => planRetry({ failures, failedAt: now, validity }, parts.random);
  const { renewBeforeMs } = desired.settings;
  if (planRenewal({ validity, renewBeforeMs }, now).kind === "due") {
    const failures = Math.max(1, before.failures);
    const failure = toFailure(new AlreadyDueError(desired.lineage, validity, now));
    const nextAt = planned(failures);
    const written = { isHasty: false, failures, failure, nextAttemptAt: nextAt.toISOString() };
    return { written, next: { failure, nextAt } };
  }
  const isHasty = order.because === "renewal-info" && isYoung(desired, now);
  const nextAttemptAt = isHasty ? planned((before.hastyRenewals ?? 0) + 1).toISOString() : undefined;
  return { written: { isHasty, nextAttemptAt }, next: {} };
}

function isYoung({ current }: DesiredCertificate, now: Date): boolean {
  const validity = current?.leaf.validity;
  return validity !== undefined && now.getTime() - validity.notBefore.getTime() < lifetimeMs(validity) * HASTY_SHARE;
}

/** Writes down how a try has failed, and when the next one may be. A disk that is full is told and no more. */
export async function recordFailure(parts: StepParts, attempt: Attempt, thrown: unknown): Promise<Next> {
  const { desired, log, startedAt } = attempt;
  const { lineage } = desired;
  const failure = toFailure(thrown);
  const state = await parts.store.loadState(lineage);
  const failures = Math.max(1, attemptsOf(state.tries).failures);
  const nextAt = planNext(parts, desired, failures);
  const tries = withOrderFailed(state.tries, {
    ...aboutOrder(parts, attempt),
    stage: isUnderWay(state.tries, startedAt) ? "order" : "prepare",
    at: parts.clock.now().toISOString(),
    origin: asOperatorError(thrown).origin,
    failures,
    failure,
    nextAttemptAt: nextAt.toISOString(),
  });
  // The start of the attempt is on the disk, with a back-off, or the order never went out.
  await parts.store.saveState(lineage, { ...state, tries }).catch((cause: unknown) => {
    log.error("lineage.failed", { lineage, ...toFailure(cause) });
  });
  log.error("lineage.failed", { lineage, ...failure, attempt: failures, nextAt });
  return { failure, nextAt };
}

/**
 * Forgets that the first CA was failing, and that the version shown was put back: nothing is wanted now, and no target has
 * refused the version in the run that showed it. May run twice. Throws OperatorError.
 */
export async function forgetFailures({ store, clock }: StepParts, { desired, state }: KnownCertificate): Promise<void> {
  const tries = withPeace(state.tries, desired.current?.leaf.fingerprint, clock.now().toISOString());
  if (tries !== state.tries) await store.saveState(desired.lineage, { ...state, tries });
}

// What the CA has asked for is in its ledger: it says nothing of other CAs.
function planNext(parts: StepParts, desired: DesiredCertificate, failures: number): Date {
  const validity = desired.current?.leaf.validity;
  return planRetry({ failures, failedAt: parts.clock.now(), validity }, parts.random);
}
