import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createLoop, type RunReport } from "../../../src/reconcile/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse("2027-03-27T12:00:00Z");

// Timers and the machine's own count stand still while a machine sleeps, and know nothing of a clock that is set; so it is
// here, where `setSystemTime` moves the wall clock alone.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"], now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new AbortController().signal;
const sleepOn = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const setClock = (ms: number) => vi.setSystemTime(START + ms);

describe("a sleep of six hours", () => {
  function fallAsleep(): { isOver: boolean } {
    const sleep = { isOver: false };
    void systemClock.sleep(6 * HOUR, never).then(() => (sleep.isOver = true));
    return sleep;
  }

  test("takes six hours", async () => {
    const sleep = fallAsleep();
    await sleepOn(6 * HOUR - 1);
    expect(sleep.isOver).toBe(false);
    await sleepOn(1);
    expect(sleep.isOver).toBe(true);
  });

  test.each([6 * HOUR, 30 * 365 * DAY])("is over within a minute after a jump forward by %d ms", async (ms) => {
    const sleep = fallAsleep();
    await sleepOn(5 * MINUTE);
    setClock(5 * MINUTE + ms);
    await sleepOn(MINUTE);
    expect(sleep.isOver).toBe(true);
  });

  test("counts a shorter jump forward as slept", async () => {
    const sleep = fallAsleep();
    setClock(4 * HOUR);
    await sleepOn(2 * HOUR - 1);
    expect(sleep.isOver).toBe(false);
    await sleepOn(1);
    expect(sleep.isOver).toBe(true);
  });

  test.each([DAY, 30 * 365 * DAY])("is no longer after a jump back by %d ms", async (ms) => {
    const sleep = fallAsleep();
    await sleepOn(HOUR);
    setClock(HOUR - ms);
    await sleepOn(5 * HOUR - 1);
    expect(sleep.isOver).toBe(false);
    await sleepOn(1);
    expect(sleep.isOver).toBe(true);
  });
});

describe("the loop, with something due in six hours by the wall clock", () => {
  const dueAt = new Date(START + 6 * HOUR);

  /** The real loop on the machine's clock; each run says when something is due next, and its moment is kept. */
  async function startLoop(): Promise<Date[]> {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const runs: Date[] = [];
    const reconcile = async (): Promise<RunReport> => {
      const now = systemClock.now();
      runs.push(now);
      const nextAt = now < dueAt ? dueAt : new Date(now.getTime() + 60 * DAY);
      return { startedAt: now, finishedAt: now, certificates: [], deploys: [], targetsOff: [], nextAt };
    };
    const loop = createLoop({ reconcile, clock: systemClock, log: collectLog(), signal: stop.signal });
    loop.request("start");
    await sleepOn(0);
    runs.length = 0;
    return runs;
  }

  test("acts within a minute of waking from a suspend of a week", async () => {
    const runs = await startLoop();
    await sleepOn(HOUR);
    setClock(7 * DAY);
    await sleepOn(MINUTE);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.getTime()).toBeLessThanOrEqual(START + 7 * DAY + MINUTE);
    await sleepOn(30 * DAY);
    expect(runs).toHaveLength(1);
  });

  test("looks in six hours when the clock is set back by a day, and then waits for the day", async () => {
    const runs = await startLoop();
    await sleepOn(HOUR);
    setClock(HOUR - DAY);
    await sleepOn(5 * HOUR);
    expect(runs).toHaveLength(1);
    await sleepOn(DAY);
    expect(runs.at(-1)).toEqual(dueAt);
    await sleepOn(30 * DAY);
    expect(runs).toHaveLength(2);
  });

  test("looks as soon when the clock comes right again after a jump forward and back", async () => {
    const runs = await startLoop();
    setClock(365 * DAY);
    await sleepOn(MINUTE);
    expect(runs).toHaveLength(1);
    // By then it waits for a day that is more than a year away.
    setClock(2 * MINUTE);
    await sleepOn(60 * DAY);
    expect(runs).toHaveLength(2);
  });
});
