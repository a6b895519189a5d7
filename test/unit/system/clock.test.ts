import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { systemClock } from "../../../src/system/index.ts";

const never = new AbortController().signal;

test("a sleep lasts as long as it was asked for", async () => {
  const before = performance.now();
  await systemClock.sleep(20, never);
  expect(performance.now() - before).toBeGreaterThanOrEqual(19.5);
});

test("a sleep of nothing, of less, or of no number ends at once", async () => {
  const isOver = vi.fn<() => void>();
  for (const ms of [0, -5, Number.NaN]) await systemClock.sleep(ms, never).then(isOver);
  expect(isOver).toHaveBeenCalledTimes(3);
});

test("an aborted sleep rejects with the signal's reason and leaves no listener, whatever its length", async () => {
  for (const ms of [50, 2 ** 31 + 5, Number.POSITIVE_INFINITY]) {
    const stopped = new AbortController();
    const sleeping = systemClock.sleep(ms, stopped.signal);
    stopped.abort(new Error("SIGTERM"));
    await expect(sleeping).rejects.toThrow("SIGTERM");
    expect(getEventListeners(stopped.signal, "abort")).toHaveLength(0);
  }
});

test("a signal that aborted before rejects a sleep of nothing too", async () => {
  const stopped = AbortSignal.abort(new Error("SIGTERM"));
  await expect(systemClock.sleep(0, stopped)).rejects.toThrow("SIGTERM");
});

test("finished sleeps leave no listener on a signal that lives long", async () => {
  const long = new AbortController();
  for (let count = 0; count < 20; count += 1) await systemClock.sleep(0.1, long.signal);
  expect(getEventListeners(long.signal, "abort")).toHaveLength(0);
});
