import { expect, test } from "vitest";
import { attemptsOf } from "../../../src/reconcile/index.ts";
import { DAY, failing, HOUR, LETS_ENCRYPT, reconcileStage } from "../../support/reconcile-stage.ts";

test("our count of the CA's limits says nothing against a certificate that it has made already", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  stage.ca.sign = failing;
  for (let order = 0; order < 5; order += 1) {
    stage.ca.keepsOrders = order === 4;
    await stage.command();
  }
  stage.ca.sign = () => undefined;
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(5);
  // The next one is a sixth, and has to wait.
  expect((await stage.command({ isForced: true })).certificates).toMatchObject([{ outcome: "held" }]);
  expect(stage.ca.orders).toHaveLength(5);
});

test("an order that comes to nothing when the limit is used up is told as that, and the last twentieth as ever", async () => {
  const stage = await reconcileStage({ lifeMs: 6 * DAY });
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  await stage.run();
  stage.pass(5.2 * DAY);
  stage.ca.sign = failing;
  for (let order = 0; order < 5; order += 1) {
    stage.ca.keepsOrders = order === 4;
    await stage.command();
  }
  stage.ca.open.clear();
  const refused = await stage.command();
  expect(refused.certificates).toMatchObject([{ failure: { code: "BUDGET_EXCEEDED" } }]);
  const attempts = attemptsOf((await stage.parts().store.loadState("a.test")).tries);
  expect(attempts).toMatchObject({ lastFailure: { code: "BUDGET_EXCEEDED" } });
  expect(attempts.startedAt).toBeUndefined();
  stage.ca.sign = () => undefined;
  await stage.live(0.7 * DAY, { everyMs: 30 * DAY });
  expect(stage.told("limit.overridden")).toHaveLength(1);
  expect(stage.told("lineage.renewed")).toHaveLength(1);
});

test("in the last twentieth an order that comes to nothing is followed by one beyond the limit", async () => {
  const stage = await reconcileStage({ lifeMs: 6 * DAY });
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  await stage.run();
  stage.pass(5.69 * DAY);
  stage.ca.sign = failing;
  stage.ca.keepsOrders = true;
  for (let order = 0; order < 5; order += 1) {
    await stage.command();
    stage.ca.open.clear();
  }
  stage.pass(0.05 * DAY);
  stage.ca.sign = () => undefined;
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "renewed" }]);
  expect(stage.told("limit.overridden")).toHaveLength(1);
});

test("what is not kept is not counted, and no CSR is sent for it", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  stage.onDisk = (call) => {
    if (call.includes("/orders")) throw Object.assign(new Error("EACCES"), { code: "EACCES" });
  };
  let signed = 0;
  stage.ca.sign = () => (signed += 1);
  for (let order = 0; order < 6; order += 1) await stage.command();
  stage.onDisk = () => undefined;
  expect(signed).toBe(0);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
});

test("what can't be counted is not kept, and no CSR is sent for it", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  let [isPlaced, signed] = [false, 0];
  stage.ca.answer = () => void (isPlaced = true);
  stage.ca.sign = () => (signed += 1);
  stage.onDisk = (call) => {
    if (isPlaced && call.includes("/cas")) throw Object.assign(new Error("EACCES"), { code: "EACCES" });
  };
  await stage.command();
  stage.onDisk = () => undefined;
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect([signed, stage.ca.orders.length, stage.ca.collected]).toEqual([1, 2, []]);
});

test("a CA that fails at the CSR for days gets an order a day, its limit is not used up, and an hour without failure is enough", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  stage.ca.keepsOrders = true;
  await stage.run();
  stage.pass(61 * DAY);
  stage.ca.sign = failing;
  stage.ca.answerToCollect = failing;
  const reports = await stage.live(5 * DAY, { everyMs: 6 * HOUR });
  const codes = new Set(reports.flatMap(({ certificates }) => certificates.map(({ failure }) => failure?.code)));
  expect(codes).not.toContain("BUDGET_EXCEEDED");
  expect(stage.ca.orders.length).toBeLessThanOrEqual(1 + 6);
  expect(stage.ca.collected.length).toBeGreaterThan(100);
  stage.ca.answerToCollect = () => undefined;
  await stage.live(HOUR);
  expect(stage.told("lineage.renewed")).toHaveLength(1);
  expect(stage.ca.orders.length).toBeLessThanOrEqual(1 + 6);
});
