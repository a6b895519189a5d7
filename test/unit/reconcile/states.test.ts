import { expect, test } from "vitest";
import { readStatesOnce } from "../../../src/reconcile/states.ts";
import { DAY, reconcileStage } from "../../support/reconcile-stage.ts";

const STATE = /^readFile \S+\/sidecar\/[^/]+\.json/;

test("a run reads what is remembered of a lineage once, and the next one reads it anew", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  let reads: string[] = [];
  stage.onDisk = (call) => void (STATE.test(call) && reads.push(call));
  const readsOf = async (run: () => Promise<unknown>) => {
    reads = [];
    await run();
    return reads.length;
  };
  expect(await readsOf(() => stage.run())).toBe(2);
  expect(await readsOf(() => stage.run())).toBe(2);
  stage.pass(61 * DAY);
  expect(await readsOf(() => stage.run())).toBe(2);
  expect(stage.ca.orders).toHaveLength(4);
});

test("what could not be written is not taken for what is remembered", async () => {
  const stage = await reconcileStage();
  await stage.run();
  const store = readStatesOnce(stage.parts().store);
  const onDisk = await store.loadState("a.test");
  expect(onDisk.deploy).not.toEqual({});
  stage.onDisk = (call) => {
    if (/^open \S+\.new/.test(call)) throw Object.assign(new Error("ENOSPC: simulated"), { code: "ENOSPC" });
  };
  await expect(store.saveState("a.test", { ...onDisk, deploy: {} })).rejects.toThrow("ENOSPC");
  expect(await store.loadState("a.test")).toEqual(onDisk);
});
