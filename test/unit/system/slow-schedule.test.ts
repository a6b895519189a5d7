import { expect, test } from "vitest";
import type { RunReport } from "../../../src/reconcile/index.ts";
import { createSchedule, createSlowScheduleWarning } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const NOW = new Date("2027-03-27T12:00:00Z");

function reportOf(...lives: readonly (readonly [lineage: string, lifeMs?: number])[]): RunReport {
  const certificates = lives.map(([lineage, lifeMs]) => ({
    lineage,
    identifiers: [],
    outcome: "not-due" as const,
    ...(lifeMs === undefined ? {} : { validity: { notBefore: NOW, notAfter: new Date(NOW.getTime() + lifeMs) } }),
  }));
  return { startedAt: NOW, finishedAt: NOW, certificates, deploys: [], targetsOff: [] };
}

/** What is told when a schedule meets these reports. */
function warningsOf(expression: string, ...reports: readonly RunReport[]) {
  const log = collectLog();
  const schedule = createSchedule(expression, { random: Math.random, log }, async () => undefined);
  const warn = createSlowScheduleWarning(schedule, log);
  for (const report of reports) void warn.after(report, undefined, new AbortController().signal);
  schedule.stop();
  return log.lines;
}

test("a schedule that leaves more than a sixth of a certificate's life unchecked is told, and what to set", () => {
  const [line, ...others] = warningsOf("0 3 * * 1", reportOf(["slow", 90 * DAY], ["short", 6 * DAY]));
  expect(others).toEqual([]);
  expect(line).toMatchObject({
    level: "warn",
    event: "schedule.slow",
    fields: {
      lineage: "short",
      schedule: "0 3 * * 1",
      gapHours: 168,
      lifetimeHours: 144,
      because: expect.stringContaining("a timer of their own"),
      remedy: "Remove CERTBOT_SCHEDULE to check twice an hour, or let it check at least every 24 hours.",
    },
  });
});

test("a schedule that just suits says nothing", () => {
  expect(warningsOf("0 3 * * *", reportOf(["short", 6 * DAY]))).toEqual([]);
  expect(warningsOf("*/10 * * * *", reportOf(["hour", HOUR]))).toEqual([]);
  expect(warningsOf("*/15 * * * *", reportOf(["hour", HOUR]))).toHaveLength(1);
});

test("each certificate is named once, also one that comes later", () => {
  const lines = warningsOf(
    "@weekly",
    reportOf(["a", 6 * DAY], ["none"]),
    reportOf(["a", 6 * DAY], ["b", 30 * DAY]),
    reportOf(["a", 6 * DAY], ["b", 30 * DAY]),
  );
  expect(lines.map(({ fields }) => fields["lineage"])).toEqual(["a", "b"]);
  expect(lines[1]?.fields["remedy"]).toContain("at least every 5 days");
});
