import { lookAgainAt, planRetry, toFailure } from "../../certificate/index.ts";
import type { Suspect } from "./blame.ts";
import type { DeployContext } from "./context.ts";
import type { Found, ServedFinding, Version } from "./target.ts";
import { CertificateRejectedError, NotServedError } from "../errors.ts";
import type { DeployState, LineageState } from "../lineage-state.ts";
import type { LineageStore } from "../lineage-store.ts";
import type { DeployReport } from "../run-report.ts";
import type { ReconcileParts, StepParts } from "../run.ts";
import { attemptsOf, withRefusal } from "../tries.ts";

// A try spends no limit of a CA: the second step of the retry plan, ten minutes, is as slow as it gets.
const SLOWEST_STEP = 2;

// What was done and hasn't helped is the third at last, a hundred minutes: a reload leaves workers behind for as long as their
// connections live, and a restart drops these. Whether it is served by now is looked at meanwhile.
const SLOWEST_IN_VAIN = 3;

// No try is put off for longer; what lies beyond was written by a clock that has been set back since.
const LONGEST_WAIT_MS = 120 * 60_000;

// What is remembered of a lineage; undefined when the disk doesn't give it: that must keep neither it nor the others from being
// served.
function recall(store: LineageStore, { lineage }: Pick<Version, "lineage">): Promise<LineageState | undefined> {
  return store.loadState(lineage).catch(() => undefined);
}

async function recallDeploy({ store, target }: DeployContext, version: Version): Promise<DeployState | undefined> {
  return (await recall(store, version))?.deploy[target.name];
}

/** Whether a target was seen to serve another version before this one. */
export async function hasServedBefore(context: DeployContext, version: Version): Promise<boolean> {
  const served = (await recallDeploy(context, version))?.servedFingerprint;
  return served !== undefined && served !== version.fingerprint;
}

/** Whether a target can be asked by TLS if it serves a version: by which name? */
export function canBeSeen({ tlsCheck }: Pick<DeployContext["target"], "tlsCheck">, { identifiers }: Version): boolean {
  return tlsCheck !== undefined && identifiers.length > 0;
}

const UNSEEN: ServedFinding = { kind: "served", isUnseen: true };

/** What {@link findServed} works with. */
export type ServedQuestion = Pick<DeployContext, "store" | "target" | "signal">;

/**
 * Finds out whether a target serves a version: by TLS, or else by what is remembered and still there. What is on disk already
 * isn't owed to a target of which nothing is remembered, unless it can be seen to lack it. Throws only the signal's reason.
 */
export async function findServed({ store, target, signal }: ServedQuestion, version: Version): Promise<ServedFinding> {
  if (target.tlsCheck && canBeSeen(target, version)) return target.tlsCheck(version, signal);
  const known = (await recall(store, version))?.deploy[target.name];
  if (known ? known.servedFingerprint === version.fingerprint : !version.isNew) {
    const kept = await target.keeps?.(version, signal);
    return kept?.kind === "not-served" ? kept : UNSEEN;
  }
  const { message = "it has not been given this version yet", remedy = "Run update-cert." } = known?.lastFailure ?? {};
  return { kind: "not-served", message, remedy };
}

/** As {@link findServed}, with the server's own words of why it isn't where it has some. */
export function explainServed(question: ServedQuestion, version: Version): Promise<ServedFinding> {
  const { target, signal } = question;
  const explained = canBeSeen(target, version) ? target.explain?.(version, signal) : undefined;
  return explained ?? findServed(question, version);
}

/** As {@link explainServed}, for people who look: with what stood in the way of the last deploy, which is what is to be mended. */
export async function explainBehind(question: ServedQuestion, version: Version): Promise<ServedFinding> {
  const finding = await explainServed(question, version);
  if (finding.kind === "served" || !question.target.tlsCheck) return finding;
  const { lastFailure, triedFingerprint } = (await recall(question.store, version))?.deploy[question.target.name] ?? {};
  // What was served instead, then, is known better now.
  const isNews = lastFailure && triedFingerprint === version.fingerprint && lastFailure.code !== "TARGET_NOT_SERVED";
  if (!isNews) return finding;
  const message = `${finding.message}; the last try to deploy it failed: ${lastFailure.message}`;
  return { ...finding, message, remedy: lastFailure.remedy };
}

/**
 * What begins, before a version is put on disk, what is remembered of each target that can't be checked by TLS, with what is on
 * disk until then: a death before such a target was given the new version doesn't make that the old one. The targets are
 * searched for once, from the first call on, while the CA works.
 */
export function createOwing(
  { store, targets }: Pick<ReconcileParts, "store" | "targets">,
  signal: AbortSignal,
): StepParts["owing"] {
  let finding: Promise<Found> | undefined;
  return () => {
    const found = (finding ??= targets.find(signal));
    found.catch(() => undefined);
    return async ({ lineage, current }) => {
      const unchecked = (await found).targets.filter((target) => !target.tlsCheck && target.wants(lineage));
      const state = unchecked.length === 0 ? undefined : await store.loadState(lineage);
      const unknown = unchecked.filter(({ name }) => !state?.deploy[name]);
      if (!state || unknown.length === 0) return;
      const begun: DeployState = { servedFingerprint: current?.leaf.fingerprint, failures: 0 };
      const deploy = { ...state.deploy, ...Object.fromEntries(unknown.map(({ name }) => [name, begun])) };
      await store.saveState(lineage, { ...state, deploy });
    };
  };
}

/** The report of a version whose last try failed and whose next one must wait; undefined when it may be tried now. */
export async function waitingReport(context: DeployContext, version: Version): Promise<DeployReport | undefined> {
  const { nextAttemptAt, lastFailure, triedFingerprint } = (await recallDeploy(context, version)) ?? {};
  if (context.isEager || !nextAttemptAt || !lastFailure || triedFingerprint !== version.fingerprint) return undefined;
  const nextAt = new Date(nextAttemptAt);
  const waitMs = nextAt.getTime() - context.clock.now().getTime();
  if (waitMs <= 0 || waitMs > LONGEST_WAIT_MS) return undefined;
  return {
    target: context.target.name,
    lineage: version.lineage,
    outcome: "held",
    failure: lastFailure,
    nextAt: lookBy(context, nextAt),
  };
}

/** Writes down that a version is served, as was seen or as far as is known, unless that is what is written already. */
export async function recordServed(
  context: DeployContext,
  version: Version,
  outcome: "served" | "deployed",
): Promise<DeployReport> {
  const { lineage, fingerprint } = version;
  const target = context.target.name;
  const isSeen = canBeSeen(context.target, version);
  const known = await recallDeploy(context, version);
  if (known?.servedFingerprint !== fingerprint || known.failures > 0) {
    const servedAt = context.clock.now().toISOString();
    await rememberDeploy(context, version, { servedFingerprint: fingerprint, servedAt, failures: 0 });
    context.log.info(isSeen ? "target.served" : "target.told", { target, lineage, fingerprint });
  }
  return { target, lineage, outcome, ...(isSeen ? {} : { isUnseen: true }) };
}

/**
 * Writes down a try that has not led to the version being served, and when the next one may be; `isAcquitted`: the version before
 * wasn't served any more, either.
 */
export async function recordDeployFailure(
  context: DeployContext,
  version: Version,
  { thrown, isAcquitted = false }: { readonly thrown: unknown; readonly isAcquitted?: boolean },
): Promise<DeployReport> {
  const { lineage, fingerprint: triedFingerprint, validity } = version;
  const target = context.target.name;
  const lastFailure = toFailure(thrown);
  const known = await recallDeploy(context, version);
  const failures = known?.triedFingerprint === triedFingerprint ? known.failures + 1 : 1;
  const failedAt = context.clock.now();
  const step = Math.min(failures, thrown instanceof NotServedError ? SLOWEST_IN_VAIN : SLOWEST_STEP);
  const nextAt = planRetry({ failures: step, failedAt, validity }, context.random);
  const tried = { ...known, failures, triedFingerprint, lastFailure, nextAttemptAt: nextAt.toISOString() };
  const is = isAcquitted ? { ...tried, acquittedFingerprint: triedFingerprint } : tried;
  await rememberDeploy(context, version, is);
  context.log.error("deploy.failed", { target, lineage, ...lastFailure, attempt: failures, nextAt });
  return { target, lineage, outcome: "failed", failure: lastFailure, nextAt: lookBy(context, nextAt) };
}

// Somebody else may have mended it before the next try.
function lookBy({ clock }: DeployContext, nextAt: Date): Date {
  const lookAt = lookAgainAt(clock.now());
  return nextAt < lookAt ? nextAt : lookAt;
}

/**
 * Writes down that a target refused a version because of its files, which have been put back: for the lineage that is a
 * failed try, so that the next one waits as after any failure, longer each time, but not for the end of the one before.
 */
export async function recordRejection(
  context: DeployContext,
  { version, previous }: Suspect,
  rejection: ConstructorParameters<typeof CertificateRejectedError>[2],
): Promise<DeployReport> {
  const { lineage, fingerprint } = version;
  const target = context.target.name;
  const lastFailure = toFailure(new CertificateRejectedError(lineage, version.version, rejection));
  const known = await recall(context.store, version);
  const failures = (known ? attemptsOf(known.tries).failures : 0) + 1;
  const failedAt = context.clock.now();
  const nextAt = planRetry({ failures, failedAt, validity: previous.leaf.validity }, context.random);
  const [at, nextAttemptAt] = [failedAt.toISOString(), nextAt.toISOString()];
  const { settingsDigest } = context.policy;
  const refused = { at, fingerprint, failures, failure: lastFailure, nextAttemptAt, settingsDigest };
  await remember(context, version, (state) => ({ ...state, tries: withRefusal(state.tries, refused) }));
  context.log.warn("lineage.restored", { target, lineage, rejectedVersion: version.version, nextAt });
  return { target, lineage, outcome: "failed", failure: lastFailure, nextAt, shown: previous.leaf.validity };
}

function rememberDeploy(context: DeployContext, version: Version, is: DeployState): Promise<void> {
  return remember(context, version, (state) => ({ ...state, deploy: { ...state.deploy, [context.target.name]: is } }));
}

type Change = (state: LineageState) => LineageState;

// What was seen at the target is true whether or not the disk takes it: a failed write must not turn it into a failure.
async function remember({ store, round, log }: DeployContext, { lineage }: Version, change: Change): Promise<void> {
  try {
    await round.remembering(lineage, async () => store.saveState(lineage, change(await store.loadState(lineage))));
  } catch (thrown) {
    log.error("state.unsaved", { lineage, ...toFailure(thrown) });
  }
}
