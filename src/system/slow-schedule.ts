import { lifetimeMs } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import type { CertificateReport, RunListener } from "../reconcile/index.ts";
import type { Schedule } from "./schedule.ts";

// From here to the end an unrenewed certificate is an alarm: a check must fall into it, whatever else fails.
const SHARE_OF_LIFE = 1 / 6;

/**
 * Makes what hears of each run and warns, once for each certificate, where the schedule leaves a gap that is longer than a sixth
 * of the certificate's life. Renewals and retries don't hang on the schedule, but all that nobody tells us of does.
 */
export function createSlowScheduleWarning(schedule: Schedule, log: Log): RunListener {
  const told = new Set<string>();
  let gapMs: number | undefined;
  const check = ({ lineage, validity }: CertificateReport) => {
    if (validity === undefined || told.has(lineage)) return;
    gapMs ??= schedule.longestGapMs();
    const longestMs = lifetimeMs(validity) * SHARE_OF_LIFE;
    if (gapMs <= longestMs) return;
    told.add(lineage);
    log.warn("schedule.slow", {
      lineage,
      schedule: schedule.expression,
      gapHours: hours(gapMs),
      lifetimeHours: hours(lifetimeMs(validity)),
      because:
        "renewals and retries have a timer of their own and are on time, but what changes on disk or at a server is only found by the schedule",
      remedy: `Remove CERTBOT_SCHEDULE to check twice an hour, or let it check at least every ${words(longestMs)}.`,
    });
  };
  return { name: "slow schedule", after: ({ certificates }) => certificates.forEach(check) };
}

function hours(ms: number): number {
  return Math.round(ms / 36_000) / 100;
}

function words(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / (24 * 60))} days`;
}
