import {
  exactSetKey,
  PROBE_EVERY_MS,
  nextRenewalInfoAt,
  planRenewal,
  renewalInfoMoment,
  sameIdentifiers,
  toFailure,
  wakeForRenewalInfo,
} from "../../certificate/index.ts";
import { forgetFailures } from "./attempts.ts";
import type { DesiredCertificate } from "./desired.ts";
import { decideIssue, type IssueDecision } from "./decision.ts";
import type { IssueFacts } from "./facts.ts";
import { gatherFacts } from "./gather-facts.ts";
import { issueVersion, rehearse } from "./issue.ts";
import type { LineageState } from "../lineage-state.ts";
import { showAgain, type KnownCertificate } from "./put-back.ts";
import { onDisk, reportOf } from "./report.ts";
import { refreshRenewalInfo } from "./renewal-info.ts";
import { automaticRun } from "../policy.ts";
import type { ReconcileParts, Run, StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";
import { attemptsOf, withSeenDown } from "../tries.ts";

const RECHECK_MS = 10 * 60_000;

/** Brings one certificate on disk to where it should be, or rehearses that. Never throws, except the signal's reason. */
export async function bringOnDisk(parts: StepParts, run: Run, desired: DesiredCertificate): Promise<CertificateReport> {
  try {
    return await decideAndDo(parts, run, desired);
  } catch (thrown) {
    run.signal.throwIfAborted();
    // Its state can't be read: without it nobody knows what the CA has been asked for already. Or a version could not be kept.
    const failure = toFailure(thrown);
    run.log.error("lineage.failed", { lineage: desired.lineage, ...failure });
    return { ...onDisk(desired), outcome: "failed", failure, nextAt: soon(parts) };
  }
}

async function decideAndDo(parts: StepParts, run: Run, asked: DesiredCertificate): Promise<CertificateReport> {
  const { log, signal } = run;
  if (run.request.isRehearsal) {
    await parts.store.tryFileSystem(asked.lineage);
    return rehearse(parts, { desired: asked, log, signal });
  }
  const known = await parts.store.loadState(asked.lineage);
  const state = asked.settings.autorenew
    ? await refreshRenewalInfo(parts, run, { desired: asked, state: known })
    : known;
  const desired = isOldSetsTurn(asked, state, parts.clock.now()) ? withOldNames(asked) : asked;
  const facts = await gatherFacts(parts, run, { desired, state });
  const decision = await decideWithProbe(parts, run, facts);
  if (decision.kind === "current") {
    await forgetFailures(parts, { desired, state });
    await writeMissingConf(parts, run, desired);
  }
  if (decision.kind === "show-again") {
    return withNextRenewal(parts, await showAgain(parts, run, { desired, version: decision.version }));
  }
  if (decision.kind !== "issue") {
    return withRenewalInfo(tellWaiting(parts, run, reportOf(desired, decision)), { desired, state, now: facts.now });
  }
  const unreachable = parts.probes.unreachable(decision.directoryUrl);
  if (unreachable !== undefined) {
    // It would only cost the time limits of its requests once more, and hold the others up.
    const { because } = decision;
    return { ...onDisk(desired), outcome: "held", because, failure: toFailure(unreachable), nextAt: soon(parts) };
  }
  await parts.store.tryFileSystem(desired.lineage);
  const report = await issueVersion(parts, { desired, order: decision, log, signal });
  if (report.outcome !== "failed") return withNextRenewal(parts, report);
  return withRecheck(parts, run, { desired, report, directoryUrl: decision.directoryUrl });
}

// Without a conf nobody would renew it once the settings don't name it any more, nor could certbot.
async function writeMissingConf({ store, policy, mayAct }: StepParts, { log }: Run, desired: DesiredCertificate) {
  const { lineage, identifiers, settings, currentDirectoryUrl } = desired;
  // A real certificate must not be taken for one for tests.
  if (currentDirectoryUrl !== undefined || policy.isStaging(settings.directoryUrl) || !(await mayAct())) return;
  if (!(await store.writeMissingConf({ lineage, identifiers, settings }))) return;
  log.warn("lineage.repaired", { lineage, did: "wrote its renewal conf from the settings: there was none" });
}

// What nobody else will wake us for is looked at again after a while.
function soon({ clock }: Pick<StepParts, "clock">): Date {
  return new Date(clock.now().getTime() + RECHECK_MS);
}

/**
 * Whether it is the turn of the names on disk: other names are wanted, the last order for them failed, and what is served
 * comes to its end. A name that can't be had must not take those down that can.
 */
function isOldSetsTurn({ current, identifiers }: DesiredCertificate, { tries }: LineageState, now: Date): boolean {
  const { failures, lastNames } = attemptsOf(tries);
  if (!current || failures === 0 || sameIdentifiers(current.leaf.identifiers, identifiers)) return false;
  const isDue = planRenewal({ validity: current.leaf.validity }, now).kind === "due";
  return isDue && lastNames === exactSetKey(identifiers);
}

function withOldNames(desired: DesiredCertificate): DesiredCertificate {
  return { ...desired, identifiers: desired.current?.leaf.identifiers ?? desired.identifiers };
}

// While a CA is failing a probe of it may be worth more than waiting: it costs no limit, and an outage may be over.
async function decideWithProbe(parts: StepParts, { log }: Run, facts: IssueFacts): Promise<IssueDecision> {
  const decision = decideIssue(facts);
  if (decision.kind !== "hold" || !decision.looks?.length) return decision;
  const { lineage } = facts.desired;
  const seen = await Promise.all(
    decision.looks.map(async (ca) => ({ ca, isAnswering: await parts.probes.isAnswering(ca) })),
  );
  const answering = seen.flatMap(({ ca, isAnswering }) => (isAnswering ? [ca] : []));
  const again = decideIssue({ ...facts, answering });
  if (again.kind === "issue") log.info("ca.answering", { lineage, ca: again.directoryUrl });
  if (again.kind !== "hold") return again;
  const down = seen.flatMap(({ ca, isAnswering }) => (isAnswering ? [] : [ca]));
  await rememberDown(parts, lineage, down);
  const probeAt = new Date(facts.now.getTime() + PROBE_EVERY_MS * (1 - parts.random() / 10));
  const recheckAt = again.recheckAt && again.recheckAt < probeAt ? again.recheckAt : probeAt;
  return { ...again, recheckAt: recheckAt < again.until ? recheckAt : undefined };
}

async function rememberDown(parts: StepParts, lineage: string, down: readonly string[]): Promise<void> {
  const state = await parts.store.loadState(lineage);
  const tries = withSeenDown(state.tries, down);
  if (tries !== state.tries) await parts.store.saveState(lineage, { ...state, tries });
}

// A decision that nothing is done about now.
function tellWaiting(parts: StepParts, { log }: Run, report: CertificateReport): CertificateReport {
  const { lineage, outcome, because, nextAt: until, failure } = report;
  if (outcome === "held") log.debug("attempt.deferred", { lineage, because, until });
  if (outcome === "rehearsal-only") {
    const why = "no order is placed by itself while it is set";
    log.warn("option.ignored", { lineage, option: "--dry-run", because: why });
  }
  if (outcome !== "failed") return report;
  log.error("lineage.failed", { lineage, ...failure });
  return { ...report, wakeAt: soon(parts) };
}

// The CA is to be asked again before the renewal: the window may move.
function withRenewalInfo(
  report: CertificateReport,
  { desired, state, now }: KnownCertificate & { readonly now: Date },
): CertificateReport {
  const { current, settings } = desired;
  const { renewalInfo } = state;
  const certificateId = current?.leaf.certificateId;
  if (!renewalInfo || certificateId !== renewalInfo.certificateId || !settings.autorenew) return report;
  const { explanationUrl } = renewalInfo;
  const askAgainAt = nextRenewalInfoAt(renewalInfo, certificateId);
  // What was not asked though its time has come can't be: there is no CA to ask.
  const isAskedAgain =
    askAgainAt !== undefined && now < askAgainAt && report.validity && now < report.validity.notAfter;
  const askAt = isAskedAgain && report.validity ? wakeForRenewalInfo(askAgainAt, report.validity) : undefined;
  const wakeAt = askAt && !(report.wakeAt && report.wakeAt < askAt) ? askAt : report.wakeAt;
  return { ...report, wakeAt, renewalInfo: { renewAt: renewalInfoMoment(renewalInfo, certificateId), explanationUrl } };
}

type FailedOrder = {
  readonly desired: DesiredCertificate;
  readonly report: CertificateReport;
  readonly directoryUrl: string;
};

// What may end the wait sooner than time: a CA that answers again, the fallback CA's turn.
async function withRecheck(parts: StepParts, { signal }: Run, failed: FailedOrder): Promise<CertificateReport> {
  const { desired, report, directoryUrl } = failed;
  const state = await parts.store.loadState(desired.lineage);
  const facts = await gatherFacts(parts, { request: automaticRun("timer"), signal }, { desired, state });
  const next = decideIssue(facts);
  if (next.kind === "show-again") return report;
  // At the same CA it would mean that the failure could not be written down.
  if (next.kind === "issue") return next.directoryUrl === directoryUrl ? report : { ...report, nextAt: facts.now };
  const { nextAt, wakeAt } = reportOf(desired, next);
  return { ...report, nextAt, wakeAt };
}

// A new version's renewal information is asked for at once, but after it is served: by the run that this wakes.
function withNextRenewal(parts: ReconcileParts, report: CertificateReport): CertificateReport {
  if (report.nextAt || !report.validity) return report;
  const now = parts.clock.now();
  const plan = planRenewal({ validity: report.validity }, now);
  return { ...report, nextAt: plan.kind === "wait" ? plan.until : now, wakeAt: now };
}
