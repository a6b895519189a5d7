import { earliest, lookAgainAt, lookSoonAt, mapLimited, toFailure } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import { CaLedgers } from "./issue/ca/ledger.ts";
import { CaProbes } from "./issue/ca/probe.ts";
import { readyFallback } from "./issue/ca/ready-fallback.ts";
import { bringOnDisk } from "./issue/bring-on-disk.ts";
import { deployAll, isNewVersion, NOTHING_TO_DEPLOY } from "./deploy/deploy-all.ts";
import { createOwing } from "./deploy/memory.ts";
import { chooseWanted, resolveDesired, type DesiredCertificate } from "./issue/desired.ts";
import { policyFor } from "./issue/merge-order.ts";
import { UnknownLineageError, UsageProblem } from "./errors.ts";
import type { MissingTarget } from "./deploy/target.ts";
import type { ServedLineage, StoredLineage } from "./lineage-store.ts";
import { listForServers, strandsNames } from "./deploy/owners.ts";
import type { RunRequest } from "./policy.ts";
import type { ReconcileParts, Run, StepParts } from "./run.ts";
import { readStatesOnce } from "./states.ts";
import { lookOnce } from "./storage.ts";
import { tellAtStart } from "./tell-at-start.ts";
import { unreadableReport, type CertificateReport, type RunReport } from "./run-report.ts";

// The CA is the bottleneck, and its limits are shared among all of them.
const PARALLEL_ORDERS = 4;

/**
 * Looks at what is, compares it with what should be, and takes each step that is due: order and install what is missing
 * or due, then make each target serve what is on disk. Safe to run twice and to die at any line; the caller holds the lock
 * and runs one at a time. One lineage or target never stops the others. Never throws, except the signal's reason.
 */
export async function reconcile(given: ReconcileParts, run: Run): Promise<RunReport> {
  const parts = { ...given, store: readStatesOnce(given.store), storage: lookOnce(given.storage) };
  const startedAt = parts.clock.now();
  run.log.debug("check.started", { trigger: run.request.trigger });
  try {
    const policy = policyFor(parts.policy, run.request);
    const stored = run.request.isRehearsal ? await parts.store.list() : await listMended(parts, run.log);
    const desired = resolveDesired(policy, stored);
    if (run.request.trigger === "start") await tellAtStart(parts, run, { stored, desired });
    const broken = reportBroken(stored, desired, run);
    const chosen = chooseFor(run.request, desired, broken);
    const memory = { ledgers: new CaLedgers(parts.store), probes: new CaProbes(parts.ca, run.signal) };
    const stepParts = { ...parts, policy, ...memory, owing: createOwing(parts, run.signal) };
    if (run.request.isRehearsal) {
      const rehearsed = await mapLimited(chosen, PARALLEL_ORDERS, (one) => bringOnDisk(stepParts, run, one));
      return finish(parts, run, { startedAt, certificates: [...broken, ...rehearsed], ...NOTHING_TO_DEPLOY });
    }
    // The names that servers know follow the disk: before the orders, and after them, where a failure counts.
    await saveList(parts, listForServers(desired, stored, policy));
    const certificates = await bringAllOnDisk(stepParts, run, { chosen, desired });
    const storedNow = certificates.some(isNewVersion) ? await parts.store.list() : stored;
    const settled = resolveDesired(policy, storedNow);
    const unlisted = await saveList(parts, listForServers(settled, storedNow, policy));
    for (const { failure } of unlisted) run.log.error("state.unsaved", failure);
    const known = [...settled.map(({ lineage }) => lineage), ...storedNow.map(({ name }) => name)];
    const deployed = await deployAll(parts, run, { settled, certificates, known });
    const missing = unlisted.length > 0 ? [...unlisted, ...(deployed.missing ?? [])] : deployed.missing;
    const fallbackFailure = await readyFallback(stepParts, run);
    return finish(parts, run, {
      startedAt,
      certificates: [...broken, ...certificates],
      ...deployed,
      missing,
      fallbackFailure,
    });
  } catch (thrown) {
    run.signal.throwIfAborted();
    const failure = toFailure(thrown);
    // A word of the operator's that names nothing is the operator's to hear, not the log's.
    const isUsageProblem = thrown instanceof UsageProblem || undefined;
    if (!isUsageProblem) run.log.error("lineage.failed", failure);
    return finish(parts, run, { startedAt, certificates: [], ...NOTHING_TO_DEPLOY, failure, isUsageProblem });
  }
}

/** Leaves the list that servers read. Where it can't be, they go on with the one before: no renewal waits for that. */
async function saveList({ store }: ReconcileParts, list: readonly ServedLineage[]): Promise<readonly MissingTarget[]> {
  return store.saveCertificateList(list).then(
    () => [],
    (thrown: unknown) => [{ name: "the list of certificates", failure: toFailure(thrown) }],
  );
}

/**
 * Mends what a death in the middle of an install, or a hand in the tree, has left. What can't be mended is told and left to
 * the reports: it must not keep the other certificates waiting. May run twice; the caller holds the lock.
 */
export async function mendTree({ store, policy }: Pick<ReconcileParts, "store" | "policy">, log: Log): Promise<void> {
  try {
    const wanted = policy.wanted.map(({ name }) => name);
    for (const recovery of await store.recover(wanted)) log.warn("lineage.repaired", recovery);
  } catch (thrown) {
    log.error("lineage.failed", toFailure(thrown));
  }
}

async function listMended(parts: ReconcileParts, log: Log): Promise<readonly StoredLineage[]> {
  const stored = await parts.store.list();
  // What is wanted and isn't shown may be there all the same, in the archive.
  const isWhole = resolveDesired(parts.policy, stored).every(({ current }) => current !== undefined);
  if (isWhole && stored.every(({ problem }) => problem === undefined)) return stored;
  await mendTree(parts, log);
  return parts.store.list();
}

type Plan = { readonly chosen: readonly DesiredCertificate[]; readonly desired: readonly DesiredCertificate[] };

/**
 * Brings the chosen certificates on disk; those last that are to lose a name to another one, and only when that one is
 * there: until then they keep their names.
 */
async function bringAllOnDisk(parts: StepParts, run: Run, { chosen, desired }: Plan): Promise<CertificateReport[]> {
  const last = chosen.filter((one) => strandsNames(one, desired));
  const first = chosen.filter((one) => !last.includes(one));
  const reports = await mapLimited(first, PARALLEL_ORDERS, (one) => bringOnDisk(parts, run, one));
  if (last.length === 0) return reports;
  const settled = resolveDesired(parts.policy, await parts.store.list());
  const others = await mapLimited(last, PARALLEL_ORDERS, (one) => {
    const keeps = one.current && strandsNames(one, settled);
    return bringOnDisk(parts, run, keeps ? { ...one, identifiers: one.current.leaf.identifiers } : one);
  });
  return [...reports, ...others];
}

function chooseFor(
  { only }: RunRequest,
  desired: readonly DesiredCertificate[],
  broken: readonly CertificateReport[],
): readonly DesiredCertificate[] {
  if (only === undefined) return desired;
  if ("wanted" in only) return [chooseWanted(only.wanted, desired)];
  const chosen = desired.filter(({ lineage }) => lineage === only.lineage);
  const known = desired.map(({ lineage }) => lineage);
  if (chosen.length + broken.length === 0) throw new UnknownLineageError(only.lineage, known);
  return chosen;
}

// A lineage that can't be read and that the settings don't name can't be renewed: never silently left out.
function reportBroken(
  stored: readonly StoredLineage[],
  desired: readonly DesiredCertificate[],
  run: Run,
): CertificateReport[] {
  const known = new Set(desired.map(({ lineage }) => lineage));
  const { only } = run.request;
  const isAsked = (name: string) => only === undefined || ("lineage" in only && only.lineage === name);
  const broken = stored.filter(({ name, problem }) => problem && !known.has(name) && isAsked(name));
  const reports = broken.map(unreadableReport);
  for (const { lineage, failure } of reports) run.log.error("lineage.failed", { lineage, ...failure });
  return reports;
}

async function finish(
  parts: ReconcileParts,
  run: Run,
  found: Omit<RunReport, "finishedAt" | "nextAt" | "clockAheadMs" | "settingsFailure">,
): Promise<RunReport> {
  const { settingsProblem } = parts.policy;
  const clockAheadMs = await checkClock(parts, run, found.certificates);
  const finishedAt = parts.clock.now();
  const { failure, missing = [] } = found;
  const planned = [
    ...found.certificates.flatMap((one) => [one.nextAt, one.wakeAt]),
    ...found.deploys.map((one) => one.nextAt),
  ];
  // Nothing else may tell us that what could not be reached has come back.
  const looks = missing.map((one) => (one.isUntold ? lookSoonAt(finishedAt, run.since) : lookAgainAt(finishedAt)));
  const nextAt = earliest(...planned, ...looks, failure && lookAgainAt(finishedAt));
  const durationMs = finishedAt.getTime() - found.startedAt.getTime();
  run.log.debug("check.finished", { trigger: run.request.trigger, durationMs, nextAt });
  return { ...found, finishedAt, nextAt, clockAheadMs, settingsFailure: settingsProblem && toFailure(settingsProblem) };
}

// Certificates have their beginning; and a TLS client whose clock is wrong trusts nobody, nor this server's visitors theirs.
const WRONG_CLOCK_MS = 10 * 60_000;

/** How far our clock is from the CA's, where that is too far; told when the run has asked the CA for something. */
async function checkClock(
  { ca, clock, policy }: ReconcileParts,
  { request, log, signal }: Run,
  certificates: readonly CertificateReport[],
): Promise<number | undefined> {
  const isTooFar = (aheadMs: number | undefined) => aheadMs !== undefined && Math.abs(aheadMs) >= WRONG_CLOCK_MS;
  const hasAsked = certificates.some((one) => one.outcome === "failed" || isNewVersion(one));
  // It may have been set right since the CA was asked last.
  if (isTooFar(ca.clockAheadMs()) && !hasAsked && request.trigger !== "command") {
    await ca.isAnswering(policy.directoryUrl, signal);
  }
  const aheadMs = ca.clockAheadMs();
  if (aheadMs === undefined || !isTooFar(aheadMs)) return undefined;
  const now = clock.now();
  const theirs = new Date(now.getTime() + aheadMs);
  const level = hasAsked || request.trigger === "start" ? "warn" : "debug";
  log[level]("clock.wrong", { ours: now, theirs, remedy: "Set this machine's clock right (NTP)." });
  return aheadMs;
}
