import { afterEach, expect, test } from "vitest";
import type { Clock } from "../../../src/ports/index.ts";
import { createLoop, type Run, type RunReport } from "../../../src/reconcile/index.ts";
import { collectLog } from "../../support/collected-log.ts";

const now = new Date("2026-06-01T00:00:00Z");
const later = (ms: number) => new Date(now.getTime() + ms);

type Sleep = { readonly ms: number; wake(): void };

/** A loop whose runs end, and whose clock moves, when the test says so. */
function stage(nextAts: readonly (Date | undefined)[] = []) {
  const stop = new AbortController();
  const runs: Run[] = [];
  const waiting: ((report: RunReport) => void)[] = [];
  const sleeps: Sleep[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.push({ ms, wake: resolve });
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const reconcile = (run: Run) => {
    runs.push(run);
    return new Promise<RunReport>((resolve, reject) => {
      waiting.push(resolve);
      run.signal.addEventListener("abort", () => reject(run.signal.reason));
    });
  };
  const loop = createLoop({ reconcile, clock, log: collectLog(), signal: stop.signal });
  const finish = async (more: Partial<RunReport> = {}) => {
    const nextAt = nextAts[runs.length - 1];
    const nothing = { certificates: [], deploys: [], targetsOff: [] };
    waiting.shift()?.({ startedAt: now, finishedAt: now, ...nothing, nextAt, ...more });
    await settle();
  };
  stages.push(stop);
  return { loop, runs, sleeps, finish, stop };
}

const stages: AbortController[] = [];
afterEach(() => {
  for (const stop of stages.splice(0)) stop.abort();
});

// Lets every promise that can go on do so.
const settle = () => new Promise((resolve) => setImmediate(resolve));
const PRESENT = new AbortController().signal;
const command = { trigger: "command", isForced: true, isRehearsal: false } as const;

test("runs one at a time, and requests that come before a run begins become one", async () => {
  const { loop, runs, finish } = stage();
  loop.request("start");
  await settle();
  for (let i = 0; i < 5; i += 1) loop.request("schedule");
  await settle();
  expect(runs).toHaveLength(1);
  await finish();
  expect(runs.map(({ request }) => request.trigger)).toEqual(["start", "schedule"]);
  await finish();
  expect(runs).toHaveLength(2);
});

test("a target that starts is not lost in a plain check that waits already", async () => {
  const { loop, runs, finish } = stage();
  loop.request("start");
  await settle();
  loop.request("schedule");
  loop.request("target-started");
  loop.request("schedule");
  await finish();
  expect(runs.at(-1)?.request.trigger).toBe("target-started");
});

test("a command waits for the run under way, and runs as it was asked", async () => {
  const { loop, runs, finish } = stage();
  loop.request("schedule");
  await settle();
  const report = loop.command(command, collectLog(), PRESENT);
  await settle();
  expect(runs).toHaveLength(1);
  await finish();
  expect(runs.at(-1)?.request).toEqual(command);
  await finish();
  await expect(report).resolves.toMatchObject({ certificates: [] });
});

test("sleeps until something is due, then checks", async () => {
  const { loop, runs, sleeps, finish } = stage([later(3600_000), undefined]);
  loop.request("start");
  await settle();
  await finish();
  expect(sleeps.map(({ ms }) => ms)).toEqual([3600_000]);
  expect(loop.facts().wakeAt).toEqual(later(3600_000));
  sleeps[0]?.wake();
  await settle();
  expect(runs.at(-1)?.request.trigger).toBe("timer");
  await finish();
  expect(sleeps).toHaveLength(1);
});

test("does not spin when what is due can't be done", async () => {
  const { loop, sleeps, finish } = stage([later(-1)]);
  loop.request("start");
  await settle();
  await finish();
  expect(sleeps[0]?.ms).toBeGreaterThanOrEqual(1000);
});

test("a rehearsal changes nothing that is known", async () => {
  const { loop, sleeps, finish } = stage([later(1000)]);
  void loop.command({ ...command, isRehearsal: true }, collectLog(), PRESENT);
  await settle();
  await finish();
  expect(loop.facts().lastReport).toBeUndefined();
  expect(sleeps).toEqual([]);
});

test("a run for one certificate brings that one up to date, and wakes the loop sooner where it must", async () => {
  const { loop, sleeps, finish } = stage([later(5000), later(1000)]);
  loop.request("start");
  await settle();
  await finish();
  void loop.command({ ...command, only: { lineage: "a.test" } }, collectLog(), PRESENT);
  await settle();
  await finish();
  expect(sleeps.map(({ ms }) => ms)).toEqual([5000, 1000]);
  expect(loop.facts().wakeAt).toEqual(later(1000));
});

test("what a run for one certificate found of the targets takes the place of what was known of them", async () => {
  const { loop, finish } = stage();
  const missing = [{ name: "nginx", failure: { code: "TARGET_NOT_RUNNING", message: "it is down", remedy: "Wait." } }];
  loop.request("start");
  await settle();
  await finish({ missing });
  const known: unknown[] = [];
  for (const found of [undefined, []]) {
    void loop.command({ ...command, only: { lineage: "a.test" } }, collectLog(), PRESENT);
    await settle();
    await finish({ missing: found });
    known.push(loop.facts().lastReport?.missing);
  }
  expect(known).toEqual([missing, []]);
});

test("a clock that was wrong is set right also for what is known after a run for one certificate", async () => {
  const { loop, finish } = stage();
  loop.request("start");
  await settle();
  await finish({ clockAheadMs: 3600_000 });
  void loop.command({ ...command, only: { lineage: "a.test" } }, collectLog(), PRESENT);
  await settle();
  await finish();
  expect(loop.facts().lastReport?.clockAheadMs).toBeUndefined();
});

test("a command whose client has gone before its turn is dropped; one that has begun goes on", async () => {
  const { loop, runs, finish } = stage();
  loop.request("start");
  await settle();
  const [first, second] = [new AbortController(), new AbortController()];
  const dropped = loop.command(command, collectLog(), first.signal);
  const kept = loop.command(command, collectLog(), second.signal);
  first.abort(new Error("gone"));
  await finish();
  await expect(dropped).rejects.toThrow("gone");
  second.abort();
  await finish();
  await expect(kept).resolves.toBeDefined();
  expect(runs.map(({ request }) => request.trigger)).toEqual(["start", "command"]);
});

test("ends the run under way when it is told to stop, and takes no more", async () => {
  const { loop, runs, stop } = stage();
  loop.request("start");
  await settle();
  const waiting = loop.command(command, collectLog(), PRESENT);
  stop.abort(new Error("stopping"));
  await expect(waiting).rejects.toThrow("stopping");
  await loop.ended();
  loop.request("schedule");
  await settle();
  expect(runs).toHaveLength(1);
});

test("what must not happen during a run waits for its end, and the next run for its own", async () => {
  const { loop, runs, finish } = stage();
  loop.request("start");
  await settle();
  const work = Promise.withResolvers<string>();
  let isBegun = false;
  const done = loop.exclusive(() => {
    isBegun = true;
    return work.promise;
  }, PRESENT);
  loop.request("schedule");
  await settle();
  expect(isBegun).toBe(false);
  await finish();
  expect([isBegun, runs.length]).toEqual([true, 1]);
  work.resolve("done");
  expect(await done).toBe("done");
  await settle();
  expect(runs).toHaveLength(2);
});

test("what fails beside the runs keeps nobody from the next one", async () => {
  const { loop, runs } = stage();
  await expect(loop.exclusive(() => Promise.reject(new Error("refused")), PRESENT)).rejects.toThrow("refused");
  loop.request("schedule");
  await settle();
  expect(runs).toHaveLength(1);
});
