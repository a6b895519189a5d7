import type { LoopFacts } from "./loop.ts";
import { pictureOf } from "./picture.ts";

/** Whether an operator has to look at the sidecar, and at what. */
export type Health = { readonly isHealthy: boolean; readonly problems: readonly string[] };

const LONGEST_RUN_MS = 30 * 60_000;
const LATEST_WAKE_MS = 10 * 60_000;

/**
 * Unhealthy when the loop stalls, when the picture of the last run has an alarm by now, and until the first run has finished, so
 * that whoever waits for health has certificates.
 */
export function assessHealth({ now, loop }: { readonly now: Date; readonly loop: LoopFacts }): Health {
  const { lastReport } = loop;
  const alarms = lastReport && pictureOf(lastReport, now).problems.filter(({ isAlarm }) => isAlarm);
  const words = alarms?.map(({ message }) => message) ?? ["the first check hasn't finished yet"];
  const problems = [...stalled(now, loop), ...words];
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
