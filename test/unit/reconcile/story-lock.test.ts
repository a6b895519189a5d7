import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { outcomes, reconcileStage } from "../../support/reconcile-stage.ts";

test("once the lock is another's nothing is ordered and nothing written down, and both go on when it is ours again", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  stage.isHolder = false;
  // The list of certificates alone is written: it is for servers.
  await stage.run();
  const before = await stage.treeHash();
  expect(outcomes(await stage.run())).toEqual(["a.test failed LOCK_LOST", "b.test failed LOCK_LOST"]);
  expect(outcomes(await stage.command({ isForced: true }))).toEqual([
    "a.test failed LOCK_LOST",
    "b.test failed LOCK_LOST",
  ]);
  expect(stage.ca.orders).toEqual([]);
  expect(await stage.treeHash()).toBe(before);
  stage.isHolder = true;
  expect(isReached(await stage.run())).toBe(true);
});

test("a lock that is lost meanwhile keeps back the orders that have not begun", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test;c.test;d.test;e.test;f.test" });
  stage.ca.answer = () => void (stage.isHolder = false);
  const failed = outcomes(await stage.run()).filter((line) => line.endsWith("failed LOCK_LOST"));
  expect(failed.length).toBeGreaterThan(0);
  expect(stage.ca.orders).toHaveLength(6 - failed.length);
});
