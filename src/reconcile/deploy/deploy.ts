import { mapLimited, toFailure } from "../../certificate/index.ts";
import { findBreaking, findGuilty, lineagesOf, passes, versionBefore, withVersionBefore } from "./blame.ts";
import {
  canBeSeen,
  explainServed,
  findServed,
  hasServedBefore,
  recordDeployFailure,
  recordRejection,
  recordServed,
  waitingReport,
} from "./memory.ts";
import type { DeployContext } from "./context.ts";
import type { ServedFinding, Target, Version } from "./target.ts";
import { ConfigurationRejectedError, NotServedError } from "../errors.ts";
import type { DeployReport } from "../run-report.ts";

const VERSIONS_AT_ONCE = 4;
const SECOND_CHECK_MS = 25;
const BROKEN_WITHIN_MS = 500;
const SECOND_CHECK_WITHIN_MS = 1000;

/**
 * Makes one target serve the versions on disk: checks what it serves of those of before; then tests its configuration, applies once
 * for all that are behind, and checks until each is served. A version that makes the test fail is put back to the one before. Never throws,
 * except the signal's reason.
 */
export async function deployToTarget(context: DeployContext): Promise<DeployReport[]> {
  const { versions, settleMs } = context;
  const settledAtMs = context.clock.now().getTime() + settleMs;
  const reports = await mapLimited(versions, VERSIONS_AT_ONCE, async (version) => {
    // Nobody serves yet what has just been put on disk.
    if (version.isNew) return undefined;
    const withinMs = Math.min(settleMs, settledAtMs - context.clock.now().getTime());
    const finding = await checkUntilServed(context, version, withinMs);
    if (finding.kind === "served") return recordServed(context, version, "served");
    return waitingReport(context, version);
  });
  const behind = versions.filter((_, index) => reports[index] === undefined);
  if (versions.length > 0 && reports.every((report) => report?.outcome === "served")) await settle(context);
  return [...reports.filter((report) => report !== undefined), ...(await bringUpToDate(context, behind))];
}

// What it serves it serves, whatever comes of this: that is tried again at the next check.
async function settle({ target, versions, whole, log, signal }: DeployContext): Promise<void> {
  try {
    await target.settle?.(versions, signal, whole);
  } catch (thrown) {
    signal.throwIfAborted();
    log.warn("target.unsettled", { target: target.name, ...toFailure(thrown) });
  }
}

// What another target has refused meanwhile has been put back: there is nothing new to serve then.
async function bringUpToDate(context: DeployContext, asked: readonly Version[]): Promise<DeployReport[]> {
  const { round, signal } = context;
  const behind = asked.filter((version) => !round.isRefused(version));
  if (behind.length === 0) return [];
  let failures: Failures | undefined;
  try {
    const { refusal, applied } = await round.judging(() => judge(context, behind));
    if (refusal) return [...refusal.reports, ...(await bringUpToDate(context, refusal.left))];
    failures = applied;
    if (!failures) await round.verdicts(context.clock, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    return recordFailures(context, behind, thrown);
  }
  return failures ? checkApplied(context, behind, { failures }) : applyAndCheck(context, behind);
}

/** What a target failed to take over, by lineage. */
type Failures = Awaited<ReturnType<Target["apply"]>>;

/** What it means that a target doesn't take its configuration: for some, and which are left to be tried again. */
type Refusal = { readonly reports: readonly DeployReport[]; readonly left: readonly Version[] };

/** `applied`: it has taken over all but these already. */
type Verdict = { readonly refusal?: Refusal | undefined; readonly applied?: Failures | undefined };

async function judge(context: DeployContext, behind: readonly Version[]): Promise<Verdict> {
  const { target, round, log, signal } = context;
  try {
    const applied = await round.reading(async () => {
      if (round.isOfOne && target.checkAndApply) return target.checkAndApply(behind, signal, context.whole);
      await target.check(signal, lineagesOf(behind));
      return undefined;
    });
    if (!target.takesOverItself) log.debug("configuration.tested", { target: target.name });
    return { applied };
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationRejectedError)) throw thrown;
    return { refusal: await round.moving(() => dealWithRejection(context, behind, thrown)) };
  }
}

async function dealWithRejection(
  context: DeployContext,
  behind: readonly Version[],
  rejection: ConfigurationRejectedError,
): Promise<Refusal | undefined> {
  const { target, round, log } = context;
  // Another target has had its say while this one waited for its turn: what it refused may be all that is wrong.
  if (behind.some(round.isRefused)) return { reports: [], left: behind };
  const onTrial = await withVersionBefore(context, behind);
  const guilty = await findGuilty(context, onTrial);
  const lineages = guilty.map(({ version }) => version.lineage);
  log.error("configuration.rejected", { target: target.name, ...toFailure(rejection), lineages });
  if (guilty.length === 0) {
    if (onTrial.length < behind.length && (await passes(context, onTrial))) return undefined;
    return { reports: await recordFailures(context, behind, rejection), left: [] };
  }
  guilty.forEach((suspect) => round.refuse(versionBefore(context, suspect)));
  const reports: DeployReport[] = [];
  for (const suspect of guilty) reports.push(await recordRejection(context, suspect, rejection));
  return { reports, left: behind };
}

async function applyAndCheck(
  context: DeployContext,
  behind: readonly Version[],
  isRepaired = false,
): Promise<DeployReport[]> {
  const { target, round, signal } = context;
  let failures: Failures | undefined;
  try {
    failures = await round.reading(async () =>
      behind.some(round.isRefused) ? undefined : target.apply(behind, signal, context.whole),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    return recordFailures(context, behind, thrown);
  }
  if (!failures) return bringUpToDate(context, behind);
  return checkApplied(context, behind, { failures, isRepaired });
}

// A second time for what the server keeps an older text of: it goes on with what it had read when time and inode of a file
// are the same, as after a copy over it.
async function checkApplied(
  context: DeployContext,
  behind: readonly Version[],
  { failures, isRepaired = false }: { readonly failures: Failures; readonly isRepaired?: boolean },
): Promise<DeployReport[]> {
  const { target, log } = context;
  if (!target.takesOverItself) log.info("target.reloaded", { target: target.name, lineages: lineagesOf(behind) });
  const kept: Version[] = [];
  const broken = new Map<Version, NotServedError>();
  const check = async (version: Version): Promise<DeployReport[]> => {
    const failure = failures.get(version.lineage);
    if (failure) return recordFailures(context, [version], failure);
    const checked = await checkTwice(context, version);
    const finding = checked.kind === "served" ? checked : await explainServed(context, version);
    if (finding.kind === "served") return [await recordServed(context, version, "deployed")];
    const notServed = new NotServedError(version.lineage, finding);
    if (finding.isBroken) broken.set(version, notServed);
    else if (!finding.isKept || isRepaired) return recordFailures(context, [version], notServed);
    else kept.push(version);
    return [];
  };
  // When one has been taken over all have: hundreds that ask again and again would only keep the server from it.
  const ofFirst = await Promise.all(behind.slice(0, 1).map(check));
  const ofOthers = await Promise.all(behind.slice(1).map(check));
  const reports = [...ofFirst, ...ofOthers].flat();
  if (broken.size > 0) reports.push(...(await dealWithBroken(context, broken)));
  return kept.length === 0 ? reports : [...reports, ...(await repair(context, kept))];
}

// What the configuration's test can't see: no cipher for this kind of key. What another target has put back meanwhile is only to be
// taken over here.
async function dealWithBroken(
  context: DeployContext,
  broken: ReadonlyMap<Version, NotServedError>,
): Promise<DeployReport[]> {
  const { target, round, log, signal } = context;
  const isServed = async (version: Version) => (await checkTwice(context, version)).kind === "served";
  const versions = [...broken.keys()];
  const acquitted = new Set<Version>();
  const guilty = await round
    .moving(async () => {
      const left = versions.filter((version) => !round.isRefused(version));
      const before = round.inPlaceOf(versions);
      if (before.length > 0) await target.apply(before, signal);
      const found = await findBreaking(context, left, isServed);
      found.forEach((suspect) => round.refuse(versionBefore(context, suspect)));
      for (const version of left) if (!found.some((one) => one.version === version)) acquitted.add(version);
      return found;
    })
    .catch((thrown: unknown) => {
      signal.throwIfAborted();
      log.error("deploy.failed", { target: target.name, ...toFailure(thrown), lineages: lineagesOf(versions) });
      return [];
    });
  const reports: DeployReport[] = [];
  for (const [version, failure] of broken) {
    const suspect = guilty.find((one) => one.version === version);
    if (!suspect)
      reports.push(
        await recordDeployFailure(context, version, { thrown: failure, isAcquitted: acquitted.has(version) }),
      );
    else {
      log.error("deploy.failed", { target: target.name, lineage: version.lineage, ...toFailure(failure) });
      reports.push(await recordRejection(context, suspect, failure));
    }
  }
  return reports;
}

async function repair(context: DeployContext, kept: readonly Version[]): Promise<DeployReport[]> {
  const { target, log, signal } = context;
  try {
    for (const { lineage, version } of kept) {
      await context.store.touch(lineage, version, context.clock.now());
      const did = `gave its files a new time, as ${target.name} went on with what had been in them before`;
      log.warn("lineage.repaired", { lineage, did });
    }
  } catch (thrown) {
    signal.throwIfAborted();
    return recordFailures(context, kept, thrown);
  }
  return applyAndCheck(context, kept, true);
}

// A graceful reload takes some milliseconds: new workers first, then the old ones stop accepting. In between both answer,
// so a second check has the last word.
async function checkTwice(context: DeployContext, version: Version): Promise<ServedFinding> {
  const { target, signal } = context;
  if (!canBeSeen(target, version)) return { kind: "served" };
  const first = await checkUntilServed(context, version, context.servedWithinMs);
  if (first.kind === "served") await context.clock.sleep(SECOND_CHECK_MS, signal);
  const isBroken = first.kind === "not-served" && first.isBroken;
  return isBroken ? first : checkUntilServed(context, version, SECOND_CHECK_WITHIN_MS);
}

/** Checks until the version is served or `withinMs` have passed; at least once, and once where nobody can be asked. */
async function checkUntilServed(context: DeployContext, version: Version, withinMs: number): Promise<ServedFinding> {
  const { target, clock, signal } = context;
  const deadline = clock.now().getTime() + withinMs;
  let pauseMs = 10;
  let leftMs = canBeSeen(target, version) ? withinMs : 0;
  let brokenMs = 0;
  let finding = await findServed(context, version);
  // By the clock, and by what was slept: a clock that is set back must not keep us here for a day.
  while (finding.kind === "not-served" && leftMs > 0 && clock.now().getTime() < deadline) {
    await clock.sleep(pauseMs, signal);
    leftMs -= pauseMs;
    brokenMs = finding.isBroken ? brokenMs + pauseMs : 0;
    // Nobody is served meanwhile: that goes on for no longer than until it is sure.
    if (brokenMs >= BROKEN_WITHIN_MS && (await hasServedBefore(context, version))) break;
    pauseMs = Math.min(pauseMs * 1.15, 500);
    finding = await findServed(context, version);
  }
  return finding;
}

async function recordFailures(
  context: DeployContext,
  versions: readonly Version[],
  thrown: unknown,
): Promise<DeployReport[]> {
  const reports: DeployReport[] = [];
  for (const version of versions) reports.push(await recordDeployFailure(context, version, { thrown }));
  return reports;
}
