import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { isServable } from "../../support/lineage-tree.ts";
import { DAY, deploys, HOUR, last, MINUTE, outcomes, reconcileStage } from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const A_DAY = 24 * 60;

/** A certificate that is served, and has become due. */
async function dueStage(domains = "a.test") {
  const stage = await reconcileStage({ domains });
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return stage;
}

test("a version that the target rejects is put back, and the orders after it get rarer: 1, 10, 100 minutes, daily", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version > 1;
  const reports = await stage.live(7 * DAY, { everyMs: 2 * HOUR });
  expect(stage.gaps(1)).toEqual([1, 10, 100, A_DAY, A_DAY, A_DAY, A_DAY, A_DAY, A_DAY]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  // Put back on disk too: a server that starts now must come up.
  await stage.nginx.test();
  expect(reports.every((report) => !isReached(report))).toBe(true);
  expect(outcomes(last(reports))).toEqual(["a.test held TARGET_CERTIFICATE_REJECTED"]);
});

test("after a version that is served, the back-off of rejections starts anew", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.live(3 * HOUR);
  expect(stage.gaps(1)).toEqual([1, 10, 100]);
  stage.nginx.refuses = () => false;
  expect(isReached(last(await stage.live(2 * DAY, { everyMs: 6 * HOUR })))).toBe(true);
  const before = stage.ca.orders.length;
  stage.pass(61 * DAY);
  const served = stage.nginx.served();
  stage.nginx.refuses = (_, version) => version > before;
  await stage.live(3 * HOUR);
  expect(stage.gaps(before)).toEqual([1, 10, 100]);
  expect(stage.nginx.served()).toEqual(served);
});

test("one target accepts what the other rejects: the orders get rarer all the same", async () => {
  const stage = await dueStage();
  const picky = new TestTarget(stage.root, "nginx-2");
  for (const targets of [
    [stage.nginx, picky],
    [picky, stage.nginx],
  ]) {
    stage.targets = targets;
    await stage.run();
    stage.pass(61 * DAY);
    const before = stage.ca.orders.length;
    picky.refuses = (_, version) => version > before;
    await stage.live(3 * HOUR);
    expect(stage.gaps(before)).toEqual([1, 10, 100]);
    picky.refuses = () => false;
    await stage.live(2 * DAY, { everyMs: 6 * HOUR });
    expect(picky.served()).toEqual(stage.nginx.served());
  }
});

test("a version that one target has refused is not asked of the next one", async () => {
  const stage = await dueStage();
  const picky = new TestTarget(stage.root, "nginx-2");
  stage.targets = [picky, stage.nginx];
  picky.refuses = (_, version) => version > 1;
  expect(deploys(await stage.run())).toEqual(["nginx-2 a.test failed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
});

test("puts back only the version that is guilty, and serves the other", async () => {
  const stage = await dueStage("a.test;b.test");
  stage.nginx.refuses = (lineage, version) => lineage === "a.test" && version === 2;
  const report = await stage.run();
  expect(deploys(report).sort()).toEqual(["nginx-1 a.test failed", "nginx-1 b.test deployed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
});

test("a version that can't be put back stays whole, and is put back when the disk obeys again", async () => {
  const stage = await dueStage("a.test;b.test");
  stage.nginx.refuses = (lineage, version) => lineage === "a.test" && version === 2;
  let hasInstalled = false;
  stage.onDisk = (call) => {
    if (!/^rename \S+\/\.b\.test\.next /.test(call)) return;
    if (hasInstalled) throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    hasInstalled = true;
  };
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test failed", "nginx-1 b.test failed"]);
  for (const lineage of ["a.test", "b.test"]) expect(await isServable(stage.root, lineage)).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
  stage.onDisk = () => undefined;
  stage.pass(10 * MINUTE);
  await stage.run();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
  await stage.nginx.test();
  expect(stage.ca.orders).toHaveLength(4);
});
