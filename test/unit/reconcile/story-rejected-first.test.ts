import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { DAY, deploys, HOUR, last, reconcileStage } from "../../support/reconcile-stage.ts";

/** Certificates that are served, and have become due. */
async function dueStage(domains: string) {
  const stage = await reconcileStage({ domains });
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return stage;
}

test("a first version that the target refuses keeps no other one waiting, and another one that it refuses is put back all the same", async () => {
  const stage = await dueStage("b.test;c.test");
  stage.nginx.refuses = (lineage, version) => lineage === "a.test" || (lineage === "c.test" && version > 1);
  stage.set("a.test;b.test;c.test");
  const report = await stage.run();
  expect(stage.nginx.served()).toEqual(["b.test=b.test/2", "c.test=c.test/1"]);
  expect(deploys(report).sort()).toEqual(["nginx-1 a.test failed", "nginx-1 b.test deployed", "nginx-1 c.test failed"]);
  expect(stage.told("lineage.restored")).toMatchObject([{ lineage: "c.test" }]);
  stage.nginx.refuses = () => false;
  expect(isReached(last(await stage.live(DAY)))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2", "c.test=c.test/2"]);
});

test("a version without one before is not given up for a server that refuses everything", async () => {
  const stage = await dueStage("b.test");
  stage.nginx.refuses = () => true;
  stage.set("a.test;b.test");
  const reports = await stage.live(HOUR);
  expect(reports.flatMap(deploys)).not.toContain("nginx-1 b.test deployed");
  expect(stage.nginx.served()).toEqual(["b.test=b.test/1"]);
});
