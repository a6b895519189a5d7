import { alarmAt } from "../certificate/index.ts";
import type { LoopFacts } from "./loop.ts";

/** Whether an operator has to look at the sidecar, and at what. */
export type Health = { readonly isHealthy: boolean; readonly problems: readonly string[] };

/** What health is judged by. */
export type HealthFacts = {
  readonly now: Date;
  readonly loop: LoopFacts;
};

const LONGEST_RUN_MS = 30 * 60_000;
const LATEST_WAKE_MS = 10 * 60_000;

/**
 * Judges the last run: unhealthy when the loop stalls, when a certificate is missing or past its alarm line (a sixth of its
 * life left), or when one isn't served; and until the first run has finished, so that whoever waits for health has certificates.
 */
export function assessHealth({ now, loop }: HealthFacts): Health {
  const problems = [
    ...stalled(now, loop),
    ...certificateProblems(now, loop),
    ...deployProblems(loop),
    ...clockProblems(loop),
  ];
  return { isHealthy: problems.length === 0, problems };
}

function stalled(now: Date, { runningSince, wakeAt }: LoopFacts): string[] {
  if (runningSince && now.getTime() - runningSince.getTime() > LONGEST_RUN_MS) {
    return [`a check has been running since ${runningSince.toISOString()}`];
  }
  if (!runningSince && wakeAt && now.getTime() - wakeAt.getTime() > LATEST_WAKE_MS) {
    return [`the check that was due at ${wakeAt.toISOString()} hasn't begun`];
  }
  return [];
}

function certificateProblems(now: Date, { lastReport }: LoopFacts): string[] {
  if (!lastReport) return ["the first check hasn't finished yet"];
  if (lastReport.failure) return [lastReport.failure.message];
  return lastReport.certificates.flatMap(({ lineage, validity, failure, outcome, nextAt }) => {
    const why = failure ? `: ${failure.message}` : "";
    if (!validity) return outcome === "rehearsal-only" ? [] : [`${lineage} has no certificate${why}`];
    if (now > validity.notAfter) return [`${lineage} expired at ${validity.notAfter.toISOString()}${why}`];
    // The CA may suggest to renew that late.
    const isPlanned = outcome === "not-due" && nextAt !== undefined && nextAt > now;
    return now > alarmAt(validity) && !isPlanned
      ? [`${lineage} ends at ${validity.notAfter.toISOString()} and is not renewed${why}`]
      : [];
  });
}

function deployProblems({ lastReport }: LoopFacts): string[] {
  if (!lastReport) return [];
  const missing = lastReport.missing?.map(({ failure }) => failure.message) ?? [];
  const notServed = lastReport.deploys
    .filter(({ outcome }) => outcome === "failed" || outcome === "held")
    .map(
      ({ target, lineage, failure }) => `${target} doesn't serve ${lineage}${failure ? `: ${failure.message}` : ""}`,
    );
  return [...missing, ...notServed];
}

function clockProblems({ lastReport }: LoopFacts): string[] {
  const aheadMs = lastReport?.clockAheadMs;
  if (aheadMs === undefined) return [];
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  return [
    `this machine's clock is ${minutes} minutes ${aheadMs > 0 ? "behind" : "ahead of"} the CA's: set it right (NTP)`,
  ];
}
