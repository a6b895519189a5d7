import { expect, test } from "vitest";
import { createTeller, type RunListener } from "../../../src/reconcile/listeners.ts";
import type { Picture } from "../../../src/reconcile/index.ts";
import { collectLog } from "../../support/collected-log.ts";

const at = new Date("2026-06-01T00:00:00Z");
const picture = (minute: number): Picture => ({
  at: new Date(at.getTime() + minute * 60_000),
  certificates: [],
  deploys: [],
  problems: [],
  isWell: true,
});

/** A teller whose listeners' time is up when the test says so. */
function stage(...listeners: readonly RunListener[]) {
  const stop = new AbortController();
  const log = collectLog();
  const timers: (() => void)[] = [];
  const sleep = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      expect(ms).toBe(30_000);
      timers.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  const teller = createTeller(listeners, { clock: { now: () => at, sleep }, log, signal: stop.signal });
  return { ...teller, log, stop, timeIsUp: () => timers.splice(0).forEach((end) => end()) };
}

test("each hears what it heard before; what comes while one is still at it is told as one", async () => {
  const heard: (readonly [now: number, before: number | undefined])[] = [];
  const minute = (one: Picture | undefined) => one && (one.at.getTime() - at.getTime()) / 60_000;
  const slow = Promise.withResolvers<void>();
  const { tell, ended } = stage(
    { name: "quick", after: (now, before) => void heard.push([minute(now) ?? -1, minute(before)]) },
    { name: "slow", after: () => slow.promise },
  );
  for (let run = 1; run <= 4; run += 1) tell(picture(run));
  slow.resolve();
  await ended();
  expect(heard).toEqual([
    [1, undefined],
    [4, 1],
  ]);
});

test("one that fails, now or later, is told in the log and keeps nobody else from hearing", async () => {
  const heard: string[] = [];
  const { tell, ended, log } = stage(
    {
      name: "bad",
      after: () => {
        throw new Error("no such day");
      },
    },
    { name: "worse", after: () => Promise.reject(new Error("no such channel")) },
    { name: "good", after: () => void heard.push("good") },
  );
  tell(picture(1));
  await ended();
  expect(heard).toEqual(["good"]);
  expect(log.lines.map(({ level, event, fields }) => [level, event, fields["listener"], fields["message"]])).toEqual([
    ["warn", "listener.failed", "bad", "no such day"],
    ["warn", "listener.failed", "worse", "no such channel"],
  ]);
});

test("one that takes longer than half a minute is given up, hears so, and is told of", async () => {
  let hasHeard = false;
  const { tell, ended, log, timeIsUp } = stage({
    name: "stuck",
    after: (_now, _before, signal) => new Promise(() => signal.addEventListener("abort", () => void (hasHeard = true))),
  });
  tell(picture(1));
  timeIsUp();
  await ended();
  expect(hasHeard).toBe(true);
  expect(log.lines).toMatchObject([{ event: "listener.failed", fields: { listener: "stuck" } }]);
});

test("a daemon that stops waits for nobody, and says nothing of it", async () => {
  const { tell, ended, log, stop } = stage({ name: "stuck", after: () => new Promise(() => undefined) });
  tell(picture(1));
  stop.abort();
  await ended();
  expect(log.lines).toEqual([]);
});
