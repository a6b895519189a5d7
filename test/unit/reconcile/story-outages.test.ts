import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import {
  CaFailure,
  DAY,
  HOUR,
  last,
  LETS_ENCRYPT,
  MINUTE,
  outcomes,
  PRODUCTION,
  reconcileStage,
} from "../../support/reconcile-stage.ts";

const FALLBACK = "https://other.test/dir";

/** A stage whose CA can be taken down; `orders` are those that reach it. */
async function outageStage(lifeMs = 90 * DAY) {
  const stage = await reconcileStage({ lifeMs });
  let isDown = false;
  stage.ca.isUp = () => !isDown;
  stage.ca.answer = ({ directoryUrl }) => {
    if (isDown && directoryUrl !== FALLBACK) throw new CaFailure(undefined, { origin: "ca-unreachable" });
  };
  const take = (down: boolean) => {
    isDown = down;
  };
  return { stage, take };
}

test("an hour in which the CA answers is enough, in the last third of the life and after weeks of outage", async () => {
  const { stage, take } = await outageStage();
  await stage.run();
  stage.pass(60 * DAY - HOUR);
  take(true);
  await stage.live(20 * DAY + 17 * MINUTE, { everyMs: DAY });
  take(false);
  const reports = await stage.live(HOUR, { everyMs: DAY });
  take(true);
  expect(isReached(last(reports))).toBe(true);
  expect(stage.told("ca.answering")).toHaveLength(1);
});

test("probes come each half hour, and tries no more often than the back-off while it is down", async () => {
  const { stage, take } = await outageStage();
  await stage.run();
  stage.pass(60 * DAY);
  take(true);
  await stage.live(5 * DAY, { everyMs: DAY });
  // 1, 10, 100 minutes, then daily.
  expect(stage.ca.orders.length - 1).toBeLessThanOrEqual(9);
  expect(stage.ca.probes).toBeGreaterThan(5 * 40);
  expect(stage.ca.probes).toBeLessThan(5 * 60);
});

test("a hundred starts against a CA that is down place the orders of the plan, and one each hour and a half at most", async () => {
  const { stage, take } = await outageStage();
  take(true);
  for (let start = 0; start < 100; start += 1) {
    await stage.run({ trigger: "start" });
    stage.pass(20_000);
  }
  expect(stage.gaps()).toEqual([1, 10]);
});

test("a hundred starts against a CA that looks well and fails in each order place the orders of the plan", async () => {
  const stage = await reconcileStage();
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-failing" });
  };
  for (let start = 0; start < 100; start += 1) {
    await stage.run({ trigger: "start" });
    stage.pass(5 * MINUTE);
  }
  expect(stage.gaps().slice(0, 3)).toEqual([5, 10, 100]);
  expect(stage.ca.orders).toHaveLength(4);
});

test("a CA that fails in orders is tried each three quarters of an hour, not more", async () => {
  const stage = await reconcileStage({ lifeMs: 90 * DAY });
  await stage.run();
  stage.pass(60 * DAY);
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-failing" });
  };
  await stage.live(10 * DAY, { everyMs: DAY });
  const perDay = (stage.ca.orders.length - 1) / 10;
  expect(perDay).toBeGreaterThan(24);
  expect(perDay).toBeLessThan(34);
});

test("the fallback CA has its turn after a quarter of the remaining life; paths stay, and the first CA renews again", async () => {
  const { stage, take } = await outageStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.run();
  stage.pass(60 * DAY);
  take(true);
  await stage.live(7 * DAY, { everyMs: DAY });
  expect(stage.ca.orders.every(({ directoryUrl }) => directoryUrl === PRODUCTION)).toBe(true);
  await stage.live(DAY, { everyMs: DAY });
  expect(last(stage.ca.orders).directoryUrl).toBe(FALLBACK);
  // It knows neither our account at the first one nor that one's certificate.
  expect(last(stage.ca.orders)).toMatchObject({ accountId: undefined, replaces: undefined });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  take(false);
  await stage.live(65 * DAY, { everyMs: DAY });
  expect(last(stage.ca.orders).directoryUrl).toBe(PRODUCTION);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3"]);
  expect(stage.told("ca.fallback-chosen")).toHaveLength(1);
});

test("a first certificate comes from the fallback CA after the third failure of the first", async () => {
  const { stage, take } = await outageStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  take(true);
  await stage.live(HOUR);
  expect(stage.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([
    PRODUCTION,
    PRODUCTION,
    PRODUCTION,
    FALLBACK,
  ]);
  expect(stage.gaps()).toEqual([1, 10, 0]);
});

test("while both CAs fail they are tried by turns, within the back-off", async () => {
  const { stage } = await outageStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  stage.ca.isUp = () => false;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-unreachable" });
  };
  await stage.live(4 * DAY, { everyMs: DAY });
  const tried = stage.ca.orders.map(({ directoryUrl }) => (directoryUrl === FALLBACK ? "F" : "P")).join("");
  expect(tried).toMatch(/^PPPF(PF)*P?$/);
  expect(stage.ca.orders.length).toBeLessThan(10);
});

test("a name that can't be verified is no reason to ask another CA", async () => {
  const { stage } = await outageStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "proof" });
  };
  await stage.live(5 * DAY, { everyMs: DAY });
  expect(stage.ca.orders.every(({ directoryUrl }) => directoryUrl === PRODUCTION)).toBe(true);
});

test("a week's patience that the first CA asks for is not waited out when there is a fallback", async () => {
  const { stage } = await outageStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.run();
  stage.pass(86 * DAY);
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl !== FALLBACK) throw new CaFailure(new Date(stage.now().getTime() + 7 * DAY));
  };
  await stage.live(2 * DAY, { everyMs: DAY });
  expect(last(stage.ca.orders).directoryUrl).toBe(FALLBACK);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
});

test("a certificate without a volume below it is not ordered at a public CA, whoever asks; the log says so at the start", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  stage.storage = { kind: "ephemeral", message: "there is no volume", remedy: "Mount one." };
  await stage.run({ trigger: "start" });
  expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test failed STORAGE_EPHEMERAL"]);
  expect(stage.ca.orders).toEqual([]);
  expect(stage.told("storage.ephemeral")).toEqual([stage.storage]);
});

test("a clock that is hours from the CA's is told once an order has been placed, and in the report", async () => {
  const stage = await reconcileStage();
  stage.ca.aheadMs = -5 * HOUR;
  const report = await stage.run();
  expect(report.clockAheadMs).toBe(-5 * HOUR);
  await stage.run();
  const warned = stage.log.lines.filter(({ event, level }) => event === "clock.wrong" && level === "warn");
  expect(warned).toHaveLength(1);
  stage.ca.aheadMs = 20_000;
  expect((await stage.run()).clockAheadMs).toBeUndefined();
});
