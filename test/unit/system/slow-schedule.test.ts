import { expect, test } from "vitest";
import { pictureOf } from "../../../src/reconcile/picture.ts";
import type { Picture } from "../../../src/reconcile/index.ts";
import { createSchedule, createSlowScheduleWarning } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const NOW = new Date("2027-03-27T12:00:00Z");

function pictureWith(...lives: readonly (readonly [lineage: string, lifeMs?: number])[]): Picture {
  const certificates = lives.map(([lineage, lifeMs]) => ({
    lineage,
    identifiers: [],
    outcome: "not-due" as const,
    ...(lifeMs === undefined ? {} : { validity: { notBefore: NOW, notAfter: new Date(NOW.getTime() + lifeMs) } }),
  }));
  return pictureOf({ certificates, deploys: [] }, NOW);
}

/** What is told when a schedule meets these pictures. */
function warningsOf(expression: string, ...pictures: readonly Picture[]) {
  const log = collectLog();
  const schedule = createSchedule(expression, { log }, async () => undefined);
  const warn = createSlowScheduleWarning(schedule, log);
  for (const picture of pictures) void warn.after(picture, undefined, new AbortController().signal);
  schedule.stop();
  return log.lines;
}

test("a schedule that leaves more than a sixth of a certificate's life unchecked is told, and what to set", () => {
  const [line, ...others] = warningsOf("0 3 * * 1", pictureWith(["slow", 90 * DAY], ["short", 6 * DAY]));
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
  expect(warningsOf("0 3 * * *", pictureWith(["short", 6 * DAY]))).toEqual([]);
  expect(warningsOf("*/10 * * * *", pictureWith(["hour", HOUR]))).toEqual([]);
  expect(warningsOf("*/15 * * * *", pictureWith(["hour", HOUR]))).toHaveLength(1);
});

test("each certificate is named once, also one that comes later", () => {
  const lines = warningsOf(
    "@weekly",
    pictureWith(["a", 6 * DAY], ["none"]),
    pictureWith(["a", 6 * DAY], ["b", 30 * DAY]),
    pictureWith(["a", 6 * DAY], ["b", 30 * DAY]),
  );
  expect(lines.map(({ fields }) => fields["lineage"])).toEqual(["a", "b"]);
  expect(lines[1]?.fields["remedy"]).toContain("at least every 5 days");
});
