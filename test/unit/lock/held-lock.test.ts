import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { keepLock } from "../../../src/lock/held-lock.ts";
import { systemClock } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";

test("a control socket that can't be put up now is tried again for as long as the lock is held, and costs no lock", async () => {
  let tries = 0;
  let isThere = true;
  const file = {
    name: "control.000000000000.sock",
    checkEveryMs: 1,
    isThere: async () => isThere,
    publish: async () => {
      tries += 1;
      throw new Error("the folder is read-only");
    },
    withdraw: async () => undefined,
  };
  const log = collectLog();
  const lock = keepLock(file, { folder: "/sidecar", clock: systemClock, log, leave: file.withdraw });
  await vi.waitFor(() => expect(tries).toBeGreaterThan(3), 5000);
  expect([await lock.isHeld(), lock.lost.aborted, log.lines]).toEqual([true, false, []]);
  isThere = false;
  await vi.waitFor(() => expect(lock.lost.aborted).toBe(true), 5000);
  await lock.release();
});

test("a control socket that is being put up when the lock is released is up before it is taken away", async () => {
  const steps: string[] = [];
  const putUp = Promise.withResolvers<void>();
  const file = {
    name: "control.000000000000.sock",
    checkEveryMs: 1,
    isThere: async () => true,
    publish: async () => {
      steps.push("publishing");
      await putUp.promise;
      steps.push("published");
    },
    withdraw: async () => void steps.push("withdrawn"),
  };
  const lock = keepLock(file, { folder: "/sidecar", clock: systemClock, log: collectLog(), leave: file.withdraw });
  await vi.waitFor(() => expect(steps).toEqual(["publishing"]), 5000);
  const released = Promise.all([lock.release(), lock.release()]);
  await setImmediate();
  putUp.resolve();
  await released;
  expect(steps).toEqual(["publishing", "published", "withdrawn"]);
});
