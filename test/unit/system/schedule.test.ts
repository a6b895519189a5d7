import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createSchedule, drawSchedule, isCronExpression } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { cpuMsOf } from "../../support/cpu-time.ts";

// Only time is a double here, so that hours pass at once; the library is the real one.
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "Date", "performance"],
    now: new Date("2027-03-27T12:00:30Z"),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(expression: string, onTick: () => Promise<void>, timezone?: string) {
  const log = collectLog();
  const schedule = createSchedule(expression, { timezone, log }, onTick);
  onTestFinished(() => schedule.stop());
  return { log, schedule };
}

function recordTicks(expression: string, timezone?: string) {
  const ticks: string[] = [];
  const tick = async () => {
    ticks.push(new Date().toISOString().slice(11, 16));
  };
  return { ticks, ...start(expression, tick, timezone) };
}

test("the drawn schedule is one minute of each half hour, whatever is drawn", () => {
  expect([0, 0.5, 0.999999, 1].map((drawn) => drawSchedule(() => drawn))).toEqual([
    "0,30 * * * *",
    "15,45 * * * *",
    "29,59 * * * *",
    "29,59 * * * *",
  ]);
});

test("the drawn one ticks twice an hour", async () => {
  const { ticks, schedule } = recordTicks(drawSchedule(() => 0.5));
  expect(schedule.expression).toBe("15,45 * * * *");
  expect(schedule.nextRunAt()).toEqual(new Date("2027-03-27T12:15:00Z"));
  await vi.advanceTimersByTimeAsync(2 * 3600_000);
  expect(ticks).toEqual(["12:15", "12:45", "13:15", "13:45"]);
});

test("slots that passed while the machine slept get one tick at once, and the next comes on time", async () => {
  const { ticks } = recordTicks("*/30 * * * *");
  vi.setSystemTime(new Date("2027-03-27T20:10:00Z"));
  await vi.advanceTimersByTimeAsync(60 * 60_000);
  expect(ticks).toEqual(["20:11", "20:30", "21:00"]);
});

test("a clock that is set forward by years costs one tick and no time", async () => {
  const { ticks } = recordTicks("* * * * *");
  vi.setSystemTime(new Date("2057-03-27T20:10:00Z"));
  expect(await cpuMsOf(() => vi.advanceTimersByTimeAsync(2 * 60_000))).toBeLessThan(1000);
  expect(ticks).toEqual(["20:10", "20:11", "20:12"]);
});

test("a clock that is set back, by hours or by years, has its slots anew", async () => {
  const { ticks, schedule } = recordTicks("*/30 * * * *");
  vi.setSystemTime(new Date("2027-03-26T09:05:00Z"));
  await vi.advanceTimersByTimeAsync(60 * 60_000);
  expect(ticks).toEqual(["10:00"]);
  vi.setSystemTime(new Date("1997-03-26T09:05:00Z"));
  await vi.advanceTimersByTimeAsync(60 * 60_000);
  expect(ticks.slice(1)).toEqual(["10:00"]);
  expect(schedule.nextRunAt()).toEqual(new Date("1997-03-26T10:30:00Z"));
});

test("a slot in the hour that daylight saving time leaves out doesn't run; in the hour that comes twice it runs once", async () => {
  const { ticks } = recordTicks("30 2 * * *", "Europe/Berlin");
  await vi.advanceTimersByTimeAsync(3 * 24 * 3600_000);
  // Clocks go from 02:00 to 03:00 on the 28th.
  expect(ticks).toEqual(["00:30", "00:30"]);
  vi.setSystemTime(new Date("2027-10-30T12:00:00Z"));
  await vi.advanceTimersByTimeAsync(2 * 24 * 3600_000);
  // Of 00:30 and 01:30 UTC the second one on the 31st.
  expect(ticks.slice(2)).toEqual(["12:00", "01:30", "01:30"]);
});

test("half hours go on through both changes of daylight saving time", async () => {
  const { ticks } = recordTicks("*/30 * * * *", "Europe/Berlin");
  await vi.advanceTimersByTimeAsync(24 * 3600_000);
  expect(ticks).toHaveLength(48);
  vi.setSystemTime(new Date("2027-10-30T12:00:30Z"));
  ticks.length = 0;
  await vi.advanceTimersByTimeAsync(24 * 3600_000);
  expect(ticks.length).toBeGreaterThanOrEqual(46);
});

test.each([
  ["*/30 * * * *", 0.5],
  ["0 3 * * *", 24],
  ["0 3,9 * * *", 18],
  ["0 0 * * 1", 7 * 24],
  // Each minute of one day a week, as it comes of a forgotten hour; 23:59 on Monday to 00:00 on the next, less an hour.
  ["* * * * 1", 6 * 24],
  ["0 0 1 * *", 31 * 24],
  ["@daily", 24],
  // 2028 is a leap year.
  ["0 0 1 1 *", 366 * 24],
])("the longest gap of %s is %d hours", (expression, hours) => {
  expect(Math.round(recordTicks(expression).schedule.longestGapMs() / 1800_000) / 2).toBe(hours);
});

test("the longest gap has the night that daylight saving time leaves out", () => {
  expect(recordTicks("30 2 * * *", "Europe/Berlin").schedule.longestGapMs()).toBe(47 * 3600_000);
});

test("the longest gap of a rare schedule is found without going through thousands of years", async () => {
  const { schedule } = recordTicks("0 0 29 2 1");
  expect(await cpuMsOf(() => schedule.longestGapMs())).toBeLessThan(1000);
  expect(schedule.longestGapMs()).toBeGreaterThan(10 * 365 * 24 * 3600_000);
});

test("a tick that is under way is not joined by another", async () => {
  let running = 0;
  let started = 0;
  const { log } = start("* * * * *", async () => {
    started += 1;
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 150_000));
    running -= 1;
  });
  await vi.advanceTimersByTimeAsync(9 * 60_000);
  expect(started).toBe(3);
  expect(log.lines.every(({ level, event }) => level === "debug" && event === "attempt.deferred")).toBe(true);
});

test("a tick that fails is logged and the next one comes", async () => {
  let started = 0;
  const { log } = start("* * * * *", async () => {
    started += 1;
    throw new Error("the disk is gone");
  });
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect(started).toBe(2);
  expect(log.lines[0]).toMatchObject({
    level: "error",
    event: "check.finished",
    fields: { message: "the disk is gone" },
  });
});

test("after stop nothing ticks, and stopping twice is fine", async () => {
  const { ticks, schedule } = recordTicks("* * * * *");
  await vi.advanceTimersByTimeAsync(60_000);
  schedule.stop();
  schedule.stop();
  await vi.advanceTimersByTimeAsync(3600_000);
  expect(ticks).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("hours are UTC unless a time zone is named; one that isn't known is ignored with a warning", () => {
  expect(recordTicks("0 4 * * *").schedule.nextRunAt()).toEqual(new Date("2027-03-28T04:00:00Z"));
  expect(recordTicks("0 4 * * *", "Europe/Berlin").schedule.nextRunAt()).toEqual(new Date("2027-03-28T02:00:00Z"));
  const { schedule, log } = recordTicks("0 4 * * *", ":/etc/localtime");
  expect(schedule.nextRunAt()).toEqual(new Date("2027-03-28T04:00:00Z"));
  expect(log.lines).toMatchObject([{ level: "warn", event: "option.ignored", fields: { option: "TZ" } }]);
});

test("an expression is checked in the time zone it will run in", () => {
  // Clocks go from 02:00 to 03:00 on the last Sunday of March, which is the only one that can be the 31st.
  const never = "30 2 31 3 0";
  expect(isCronExpression(never)).toBe(true);
  expect(isCronExpression(never, ":/etc/localtime")).toBe(true);
  expect(isCronExpression(never, "Europe/Berlin")).toBe("it never comes");
  expect(() => recordTicks(never, "Europe/Berlin")).toThrow(expect.objectContaining({ code: "SCHEDULE_INVALID" }));
});

test("a schedule whose slots run out says so, and neither ticks nor fails", async () => {
  const { ticks, schedule, log } = recordTicks("30 0 * * *");
  // The last day that a date can tell.
  vi.setSystemTime(new Date(8.64e15 - 3600_000));
  await vi.advanceTimersByTimeAsync(60_000);
  ticks.length = 0;
  expect(schedule.nextRunAt()).toBeUndefined();
  expect(schedule.longestGapMs()).toBe(0);
  expect(ticks).toEqual([]);
  expect(log.lines).toEqual([]);
});

test("what is no cron expression is told in words, and refused", () => {
  for (const right of ["*/30 * * * *", "0 3 * * 1-5", "5 0 3 * * *", "@daily", "0 0 29 2 *"]) {
    expect(isCronExpression(right)).toBe(true);
  }
  expect(isCronExpression("60 * * * *")).toContain("minute");
  for (const wrong of ["", "daily", "* * * *", "0 0 30 2 *", "0 25 * * *", "rm -rf /"]) {
    expect(isCronExpression(wrong)).toEqual(expect.any(String));
  }
  expect(() => recordTicks("* * * *")).toThrow(expect.objectContaining({ code: "SCHEDULE_INVALID" }));
});
