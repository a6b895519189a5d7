import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CaFailure, DAY, HOUR, LETS_ENCRYPT, MINUTE, reconcileStage } from "../../support/reconcile-stage.ts";

const DEATH = new Error("dead");
const START_MS = Date.parse("2026-06-01T00:00:00Z");
const FALLBACK = "https://fallback.test/directory";

/** A stage whose first order got as far as its CSR, and no further. */
async function stageWithOpenOrder(trouble: () => void, more: { directoryUrl?: string; lifeMs?: number } = {}) {
  const { directoryUrl, lifeMs } = more;
  const stage = await reconcileStage({ ...(lifeMs !== undefined && { lifeMs }) });
  if (directoryUrl !== undefined) stage.set("a.test", { directoryUrl });
  stage.ca.keepsOrders = true;
  stage.ca.sign = trouble;
  await stage.run().catch(() => undefined);
  stage.ca.sign = () => undefined;
  return stage;
}

const fails = () => {
  throw new CaFailure(undefined, { origin: "ca-failing" });
};

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

test("a CA that takes its time is asked for the same order at each try, as the back-off has it", async () => {
  const stage = await stageWithOpenOrder(fails);
  stage.ca.answerToCollect = fails;
  await stage.live(20 * MINUTE);
  expect(stage.ca.collected.length).toBeGreaterThan(1);
  expect(new Set(stage.ca.collected).size).toBe(1);
  stage.ca.answerToCollect = () => undefined;
  await stage.live(3 * HOUR);
  expect(stage.told("lineage.issued")).toHaveLength(1);
  expect(stage.ca.orders).toHaveLength(1);
});

test("an order that the CA has given up is followed by another one in the same try", async () => {
  const stage = await stageWithOpenOrder(fails);
  stage.ca.open.clear();
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("an order is for what was wanted then: other names, another key type, profile or CA, or a day, and it is left", async () => {
  const changes: ((stage: Awaited<ReturnType<typeof reconcileStage>>) => void)[] = [
    (stage) => stage.set("a.test,b.test"),
    (stage) => stage.set("a.test", { keyType: "rsa-2048", isKeyTypeChosen: true }),
    (stage) => stage.set("a.test", { profile: { name: "shortlived", isRequired: false } }),
    (stage) => stage.set("a.test", { directoryUrl: FALLBACK }),
    (stage) => stage.pass(25 * HOUR),
  ];
  for (const change of changes) {
    const stage = await stageWithOpenOrder(fails);
    stage.pass(2 * MINUTE);
    change(stage);
    await stage.run();
    expect(stage.ca.collected).toEqual([]);
    expect(stage.ca.orders).toHaveLength(2);
  }
});

test("the CA's limits say nothing against a certificate that it has made already", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  stage.ca.keepsOrders = true;
  for (let order = 0; order < 4; order += 1) {
    await stage.command({ forceRenewal: true });
    stage.pass(MINUTE);
  }
  stage.ca.sign = fails;
  await stage.command({ forceRenewal: true });
  stage.ca.sign = () => undefined;
  stage.pass(2 * MINUTE);
  expect((await stage.command({ forceRenewal: true })).certificates).toMatchObject([{ outcome: "renewed" }]);
  expect(stage.ca.orders).toHaveLength(5);
  // The next one is a sixth, and has to wait.
  expect((await stage.command({ forceRenewal: true })).certificates).toMatchObject([{ outcome: "held" }]);
  expect(stage.ca.orders).toHaveLength(5);
});

test("what the CA asks for holds for an open order, too", async () => {
  const stage = await stageWithOpenOrder(() => {
    throw new CaFailure(new Date(START_MS + 2 * HOUR));
  });
  stage.pass(HOUR);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "held" }]);
  expect(stage.ca.collected).toEqual([]);
  stage.pass(61 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(1);
});

test("a certificate that can't be used is not fetched again", async () => {
  const stage = await reconcileStage();
  stage.ca.keepsOrders = true;
  const { life } = stage.ca;
  stage.ca.life = (now) => ({ notBefore: new Date(now.getTime() - 2 * DAY), notAfter: new Date(now.getTime() - DAY) });
  expect((await stage.run()).certificates).toMatchObject([{ failure: { code: "CLOCK_WRONG" } }]);
  stage.ca.life = life;
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.collected).toEqual([]);
});

test("a clock that is set back leaves the order where it is", async () => {
  const stage = await stageWithOpenOrder(fails);
  stage.pass(-2 * MINUTE);
  expect((await stage.command()).certificates).toMatchObject([{ outcome: "issued" }]);
  expect(stage.ca.orders).toHaveLength(1);
});
