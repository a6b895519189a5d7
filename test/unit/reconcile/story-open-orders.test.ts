import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import {
  CaFailure,
  DAY,
  failing,
  HOUR,
  MINUTE,
  outcomes,
  reconcileStage,
  type StageOptions,
} from "../../support/reconcile-stage.ts";

const DEATH = new Error("dead");
const FALLBACK = "https://fallback.test/directory";

/** A stage whose first order got as far as its CSR, and no further. */
async function stageWithOpenOrder(options: StageOptions = {}) {
  const stage = await reconcileStage(options);
  stage.ca.keepsOrders = true;
  stage.ca.sign = failing;
  await stage.run();
  stage.ca.sign = () => undefined;
  return stage;
}

/** A stage with a certificate that is due, and a CA that keeps orders. */
async function dueStage() {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(61 * DAY);
  stage.ca.keepsOrders = true;
  return stage;
}

test("a death after the CSR costs no second order: its certificate is fetched, key and all", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  let isDead = false;
  stage.ca.sign = () => {
    isDead = true;
  };
  stage.onDisk = () => {
    if (isDead) throw DEATH;
  };
  await stage.run();
  isDead = false;
  stage.ca.sign = () => undefined;
  stage.pass(2 * MINUTE);
  const report = await stage.run({ trigger: "start" });
  expect(report.certificates).toMatchObject([{ outcome: "issued", version: 1 }]);
  expect(stage.ca.orders).toHaveLength(1);
  expect(stage.ca.collected).toHaveLength(1);
  const [given] = stage.ca.open.values();
  const live = join(stage.root, "live", "a.test");
  const leaf = new X509Certificate(await readFile(join(live, "cert.pem"), "utf8"));
  expect(leaf.fingerprint256).toBe(new X509Certificate(given?.certificatePem ?? "").fingerprint256);
  expect(await readFile(join(live, "privkey.pem"), "utf8")).toBe(given?.privateKeyPem);
  expect(await stage.parts().store.loadOrder("a.test")).toBeUndefined();
});

test("a certificate that the disk has no room for is fetched again, not ordered again", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  let isFull = false;
  stage.ca.sign = () => {
    isFull = true;
  };
  stage.onDisk = (call) => {
    if (isFull && /^(?:open .*\.new|file\.writeFile|mkdir|symlink)/.test(call)) {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    }
  };
  const full = await stage.run();
  expect(full.certificates).toMatchObject([{ outcome: "failed", failure: { code: "STORE_DISK_FULL" } }]);
  isFull = false;
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(1);
});

test.each(["symlink", "rename"])(
  "a certificate that storage doesn't take (%s) costs one order, however long that lasts, and is installed afterwards",
  async (call) => {
    const stage = await reconcileStage();
    stage.ca.keepsOrders = true;
    stage.onDisk = (one) => {
      if (one.startsWith(call) && /\/live\/(?!.*\.trial)/.test(one))
        throw Object.assign(new Error("ENOSYS"), { code: "ENOSYS" });
    };
    await stage.live(3 * DAY, { everyMs: 6 * HOUR });
    expect(stage.ca.orders).toHaveLength(1);
    stage.onDisk = () => undefined;
    expect(outcomes(await stage.command())).toEqual(["a.test issued"]);
    expect(stage.ca.orders).toHaveLength(1);
  },
);

test("a CA that takes its time is asked for the same order at each try, as the back-off has it", async () => {
  const stage = await dueStage();
  stage.ca.sign = failing;
  stage.ca.answerToCollect = failing;
  await stage.live(3 * HOUR);
  expect(stage.ca.collected.length).toBeGreaterThan(3);
  expect(new Set(stage.ca.collected).size).toBe(1);
  stage.ca.answerToCollect = () => undefined;
  await stage.live(HOUR);
  expect(stage.told("lineage.renewed")).toHaveLength(1);
  expect(stage.ca.orders).toHaveLength(2);
});

test("where there is no certificate yet, another order is placed after an hour", async () => {
  const stage = await stageWithOpenOrder();
  stage.ca.answerToCollect = failing;
  stage.pass(50 * MINUTE);
  await stage.command();
  expect(stage.ca.orders).toHaveLength(1);
  stage.pass(11 * MINUTE);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
});

test("an order that the CA has given up is followed by another one in the same try", async () => {
  const stage = await stageWithOpenOrder();
  stage.ca.open.clear();
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("an order is for what was wanted then: other names, another key type, profile or CA, or a day, and it is left", async () => {
  const changes: ((stage: Awaited<ReturnType<typeof reconcileStage>>) => void)[] = [
    (stage) => stage.set("a.test,b.test"),
    (stage) => stage.set("a.test", { keyType: "rsa-2048" }),
    (stage) => stage.set("a.test", { profile: { name: "shortlived", isRequired: false } }),
    (stage) => stage.set("a.test", { directoryUrl: FALLBACK }),
    (stage) => stage.pass(25 * HOUR),
  ];
  for (const change of changes) {
    const stage = await stageWithOpenOrder();
    stage.pass(2 * MINUTE);
    change(stage);
    await stage.run();
    expect(stage.ca.collected).toEqual([]);
    expect(stage.ca.orders).toHaveLength(2);
  }
});

test("a forced renewal takes no order of before: its key may be the reason", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.ca.keepsOrders = true;
  stage.ca.sign = failing;
  await stage.command({ isForced: true });
  stage.ca.sign = () => undefined;
  expect((await stage.command({ isForced: true })).certificates).toMatchObject([{ outcome: "renewed" }]);
  expect(stage.ca.collected).toEqual([]);
  expect(stage.ca.orders).toHaveLength(3);
});

test("an order whose key is not the one that is wanted now is left", async () => {
  for (const [before, after] of [
    [true, false],
    [false, true],
  ]) {
    const stage = await reconcileStage();
    stage.set("a.test", { reuseKey: before });
    await stage.run();
    stage.pass(61 * DAY);
    stage.ca.keepsOrders = true;
    stage.ca.sign = failing;
    await stage.run();
    stage.ca.sign = () => undefined;
    stage.set("a.test", { reuseKey: after });
    stage.pass(2 * MINUTE);
    expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed" }]);
    expect({ before, collected: stage.ca.collected }).toEqual({ before, collected: [] });
  }
});

test("an order of a short life is not gone on with for long, nor is a certificate taken that is due by then", async () => {
  const stage = await reconcileStage({ lifeMs: HOUR });
  await stage.run();
  stage.ca.keepsOrders = true;
  stage.pass(31 * MINUTE);
  stage.ca.sign = failing;
  stage.ca.answerToCollect = failing;
  await stage.run();
  stage.ca.sign = () => undefined;
  stage.pass(4 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed" }]);
  expect(stage.ca.orders).toHaveLength(3);

  const late = await stageWithOpenOrder({ lifeMs: HOUR });
  late.pass(45 * MINUTE);
  expect((await late.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(late.ca.collected).toHaveLength(1);
  expect(late.ca.orders).toHaveLength(2);
});

test("the order of the certificate that is on disk gives no other one", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  let isDead = false;
  stage.onDisk = (call) => {
    isDead ||= call.startsWith("rm ") && call.endsWith("/orders/a.test.json");
    if (isDead) throw DEATH;
  };
  await stage.run();
  isDead = false;
  stage.onDisk = () => undefined;
  expect(await stage.parts().store.loadOrder("a.test")).toBeDefined();
  stage.pass(HOUR);
  const minutes = (count: number) => new Date(stage.now().getTime() + count * MINUTE);
  stage.ca.suggestion = () => ({ kind: "window", startAt: minutes(-20), endAt: minutes(-10) });
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed", version: 2 }]);
  expect(stage.ca.collected).toHaveLength(1);
  expect(stage.ca.orders).toHaveLength(2);
});

test("what the CA asks for holds for an open order, too", async () => {
  const stage = await dueStage();
  stage.ca.sign = () => {
    throw new CaFailure(new Date(stage.now().getTime() + 2 * HOUR));
  };
  await stage.run();
  stage.pass(HOUR);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "held" }]);
  expect(stage.ca.collected).toEqual([]);
  stage.pass(61 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed" }]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a clock that is behind costs one order: its certificate is installed once that is right", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  const { life } = stage.ca;
  stage.ca.life = (now) => life(new Date(now.getTime() + 40 * MINUTE));
  expect((await stage.run()).certificates).toMatchObject([{ failure: { code: "CLOCK_WRONG" } }]);
  stage.pass(20 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ failure: { code: "CLOCK_WRONG" } }]);
  stage.pass(20 * MINUTE);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(1);
});

test.each([{ domains: "a.test" }, { domains: "a.test", lifeMs: 6 * DAY }])(
  "a clock that is days behind costs one order as well: %j",
  async (options) => {
    const stage = await reconcileStage(options);
    await stage.run();
    stage.pass((options.lifeMs ?? 90 * DAY) * 0.7);
    stage.ca.keepsOrders = true;
    const { life } = stage.ca;
    stage.ca.life = (now) => life(new Date(now.getTime() + 3 * DAY));
    await stage.live(1.5 * DAY);
    expect(stage.told("lineage.failed").at(-1)).toMatchObject({ code: "CLOCK_WRONG" });
    expect(stage.ca.orders).toHaveLength(2);
    stage.pass(3 * DAY);
    expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed" }]);
  },
);

test("a certificate that has come to its end is not fetched again and again", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  const { life } = stage.ca;
  stage.ca.life = (now) => ({ notBefore: new Date(now.getTime() - 2 * DAY), notAfter: new Date(now.getTime() - DAY) });
  expect((await stage.run()).certificates).toMatchObject([{ failure: { code: "CLOCK_WRONG" } }]);
  stage.ca.life = life;
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("what is no certificate at all is not fetched again and again", async () => {
  const stage = await stageWithOpenOrder();
  const certificatePem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const [url, issued] of stage.ca.open) stage.ca.open.set(url, { ...issued, certificatePem });
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.collected).toHaveLength(1);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a certificate that isn't what was ordered is not fetched again and again", async () => {
  const stage = await stageWithOpenOrder();
  const other = issueForTest({ names: ["b.test"], ...stage.ca.life(stage.now()) });
  for (const [url, { isReplacement }] of stage.ca.open) stage.ca.open.set(url, { ...other, isReplacement });
  stage.pass(2 * MINUTE);
  expect(outcomes(await stage.command())).toEqual(["a.test failed ISSUED_CERTIFICATE_UNUSABLE"]);
  expect(outcomes(await stage.command())).toEqual(["a.test issued"]);
  expect([stage.ca.collected.length, stage.ca.orders.length]).toEqual([1, 2]);
});

test("a clock that is set back leaves the order where it is", async () => {
  const stage = await stageWithOpenOrder();
  stage.pass(-2 * MINUTE);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(1);
});
