import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createSchedule, drawSchedule, isCronExpression } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";

// Only time is a double here, so that hours pass at once; the library is the real one.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: new Date("2027-03-27T12:00:30Z") });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(expression: string | undefined, onTick: () => Promise<void>, timezone?: string) {
  const log = collectLog();
  const schedule = createSchedule(expression, { random: () => 0.5, timezone, log }, onTick);
  onTestFinished(() => schedule.stop());
  return { log, schedule };
}

function recordTicks(expression: string | undefined, timezone?: string) {
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

test("without an expression it ticks twice an hour", async () => {
  const { ticks, schedule } = recordTicks(undefined);
  expect(schedule.expression).toBe("15,45 * * * *");
  expect(schedule.nextRunAt()).toEqual(new Date("2027-03-27T12:15:00Z"));
  await vi.advanceTimersByTimeAsync(2 * 3600_000);
  expect(ticks).toEqual(["12:15", "12:45", "13:15", "13:45"]);
});

test("slots that passed while the machine slept get one tick, and the next comes on time", async () => {
  const { ticks } = recordTicks("*/30 * * * *");
  vi.setSystemTime(new Date("2027-03-27T20:10:00Z"));
  // A timer stands still while the machine sleeps: it still had 29.5 minutes to go.
  await vi.advanceTimersByTimeAsync(60 * 60_000);
  expect(ticks).toEqual(["20:39", "21:00"]);
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
