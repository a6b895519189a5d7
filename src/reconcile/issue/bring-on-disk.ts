import { lookAgainAt, planRenewal, PROBE_EVERY_MS, toFailure } from "../../certificate/index.ts";
import { forgetFailures } from "./attempts.ts";
import type { DesiredCertificate } from "./desired.ts";
import { decideIssue, type IssueDecision } from "./decision.ts";
import type { IssueContext } from "./context.ts";
import type { IssueFacts } from "./facts.ts";
import { gatherFacts } from "./gather-facts.ts";
import { issueVersion, rehearse } from "./issue.ts";
import { showAgain } from "./put-back.ts";
import { afterDecision, onDisk, reportOf, withNext } from "./report.ts";
import { refreshRenewalInfo } from "./renewal-info.ts";
import { automaticRun } from "../policy.ts";
import type { Run, StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";
import { withSeenDown } from "../tries.ts";

/** Brings one certificate on disk to where it should be, or rehearses that. Never throws, except the signal's reason. */
export async function bringOnDisk(parts: StepParts, run: Run, desired: DesiredCertificate): Promise<CertificateReport> {
  try {
    return await decideAndDo(parts, run, desired);
  } catch (thrown) {
    run.signal.throwIfAborted();
    // Its state can't be read: without it nobody knows what the CA has been asked for already. Or a version could not be kept.
    const failure = toFailure(thrown);
    run.log.error("lineage.failed", { lineage: desired.lineage, ...failure });
    const now = parts.clock.now();
    return withNext({ ...onDisk(desired), outcome: "failed", failure }, { now, tryAt: lookAgainAt(now) });
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
  const facts = await gatherFacts(parts, run, { desired: asked, state });
  const { desired } = facts;
  const decision = await decideWithProbe(parts, run, facts);
  if (decision.kind === "issue") return order(parts, run, { desired, order: decision, log, signal });
  if (decision.kind === "show-again") {
    return withFirstMoments(parts, desired, await showAgain(parts, run, { desired, version: decision.version }));
  }
  if (decision.kind === "current") {
    await forgetFailures(parts, { desired, state });
    await writeMissingConf(parts, run, desired);
  }
  const report = reportOf(facts, decision);
  tellWaiting(run, report);
  return report;
}

async function order(parts: StepParts, run: Run, context: IssueContext): Promise<CertificateReport> {
  const { desired, order: plan } = context;
  const vain = parts.probes.vain(plan.directoryUrl);
  if (vain !== undefined) {
    // It would only cost the time limits of its requests once more, and hold the others up; or ask for an account once more.
    const now = parts.clock.now();
    const held = {
      ...onDisk(desired),
      outcome: "held",
      because: plan.because,
      failure: toFailure(vain),
    } as const;
    return withNext(held, { now, tryAt: lookAgainAt(now) });
  }
  await parts.store.tryFileSystem(desired.lineage);
  const report = await issueVersion(parts, context);
  if (report.outcome !== "failed") return withFirstMoments(parts, desired, report);
  return withNext(report, await afterFailure(parts, run, { context, report }));
}

// Without a conf nobody would renew it once the settings don't name it any more, nor could certbot.
async function writeMissingConf({ store, policy, mayAct }: StepParts, { log }: Run, desired: DesiredCertificate) {
  const { lineage, identifiers, settings, currentDirectoryUrl } = desired;
  // A real certificate must not be taken for one for tests.
  if (currentDirectoryUrl !== undefined || policy.isStaging(settings.directoryUrl)) return;
  // Nor is a mistake to be written down.
  if (policy.settingsProblem || !(await mayAct())) return;
  try {
    if (!(await store.writeMissingConf({ lineage, identifiers, settings }))) return;
    log.warn("lineage.repaired", { lineage, did: "wrote its renewal conf from the settings: there was none" });
  } catch (thrown) {
    // It is good and served all the same; the next check tries again.
    log.warn("lineage.failed", { lineage, ...toFailure(thrown) });
  }
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
  const nextAt = new Date(facts.now.getTime() + PROBE_EVERY_MS * (1 - parts.random() / 10));
  const again = decideIssue({ ...facts, probe: { answering, nextAt } });
  if (again.kind === "issue") log.info("ca.answering", { lineage, ca: again.directoryUrl });
  const down = seen.flatMap(({ ca, isAnswering }) => (isAnswering ? [] : [ca]));
  if (again.kind === "hold") await rememberDown(parts, lineage, down);
  return again;
}

async function rememberDown(parts: StepParts, lineage: string, down: readonly string[]): Promise<void> {
  const state = await parts.store.loadState(lineage);
  const tries = withSeenDown(state.tries, down);
  if (tries !== state.tries) await parts.store.saveState(lineage, { ...state, tries });
}

// A decision that nothing is done about now.
function tellWaiting({ log }: Run, { lineage, outcome, because, nextAt: until, failure }: CertificateReport): void {
  if (outcome === "held") log.debug("attempt.deferred", { lineage, because, until });
  if (outcome === "failed") log.error("lineage.failed", { lineage, ...failure });
  if (outcome !== "rehearsal-only") return;
  const why = "no order is placed by itself while it is set";
  log.warn("option.ignored", { lineage, option: "--dry-run", because: why });
}

type FailedOrder = { readonly context: IssueContext; readonly report: CertificateReport };

// What may end the wait sooner than time: a CA that answers again, the fallback CA's turn.
async function afterFailure(parts: StepParts, { signal }: Run, { context, report }: FailedOrder) {
  const { desired, order: plan } = context;
  const state = await parts.store.loadState(desired.lineage);
  const facts = await gatherFacts(parts, { request: automaticRun("timer"), signal }, { desired, state });
  const next = decideIssue(facts);
  // Else it could not be written down, and what is on disk says nothing of it.
  const isKnown = next.kind !== "show-again" && !(next.kind === "issue" && next.directoryUrl === plan.directoryUrl);
  return isKnown ? afterDecision(facts, next) : { now: facts.now, tryAt: report.nextAt };
}

// A new version's renewal information is asked for at once, but after it is served: by the run that this wakes.
function withFirstMoments({ clock }: StepParts, { settings }: DesiredCertificate, report: CertificateReport) {
  const now = clock.now();
  const { nextAt: tryAt, validity } = report;
  if (tryAt || !validity) return withNext(report, { now, tryAt });
  const plan = planRenewal({ validity, renewBeforeMs: settings.renewBeforeMs }, now);
  return withNext(report, { now, renewAt: plan.kind === "wait" ? plan.until : now, isNew: true });
}
