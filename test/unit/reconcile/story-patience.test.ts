import { describe, expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import {
  CaFailure,
  DAY,
  HOUR,
  last,
  MINUTE,
  outcomes,
  PRODUCTION,
  reconcileStage,
  STAGING,
} from "../../support/reconcile-stage.ts";

const OTHER_CA = "https://other.test/dir";

test("a certificate that is due when it arrives is ordered again by the back-off, not each minute", async () => {
  const stage = await reconcileStage();
  stage.ca.life = (now) => ({ notBefore: new Date(now.getTime() - 80 * DAY), notAfter: new Date(now.getTime() + DAY) });
  const reports = await stage.live(2 * DAY, { everyMs: 2 * HOUR });
  // An eighth of the day that is left of each is less than the next step.
  expect(stage.gaps().slice(0, 5)).toEqual([1, 10, 100, 180, 180]);
  expect(stage.gaps().length).toBeLessThan(20);
  expect(outcomes(reports[0] ?? last(reports))).toEqual(["a.test issued CLOCK_WRONG"]);
  // It is served all the same: there is none better.
  expect(stage.nginx.served()).toEqual([`a.test=a.test/${stage.ca.orders.length}`]);
});

/** The largest number of times within one hour. */
function mostInAnHour(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + HOUR).length));
}

test.each([
  { days: 90, mostAnHour: 2 },
  // Its last half hour is 1/288 of its life: a try each four minutes is what the retry plan promises there.
  { days: 6, mostAnHour: 15 },
])("a CA that fails for the rest of a $days day life is asked rarely, and to the end", async ({ days, mostAnHour }) => {
  const stage = await reconcileStage({ lifeMs: days * DAY });
  await stage.run();
  const dueMs = (days * DAY * (days < 10 ? 1 : 2)) / (days < 10 ? 2 : 3);
  stage.pass(dueMs - MINUTE);
  stage.ca.answer = () => {
    throw new CaFailure();
  };
  await stage.live(days * DAY - dueMs, { everyMs: days < 10 ? 2 * HOUR : 12 * HOUR });
  const times = stage.ca.orders.slice(1).map(({ at }) => at.getTime());
  expect(times.length).toBeGreaterThan(30);
  expect(times.length).toBeLessThan(80);
  expect(stage.gaps(1).slice(0, 3)).toEqual([1, 10, 100]);
  const from = (times[0] ?? 0) + 2 * HOUR;
  expect(mostInAnHour(times.filter((at) => at > from))).toBeLessThanOrEqual(mostAnHour);
  expect(stage.now().getTime() - last(times)).toBeLessThan(3 * HOUR);
});

/** A CA that has asked for a week of patience. */
async function patientStage(domains = "a.test") {
  const stage = await reconcileStage({ domains });
  const until = new Date(stage.now().getTime() + 7 * DAY);
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl === PRODUCTION && stage.now() < until) throw new CaFailure(until);
  };
  await stage.run();
  const atProduction = () => stage.ca.orders.filter(({ directoryUrl }) => directoryUrl === PRODUCTION).length;
  expect(atProduction()).toBe(1);
  return { stage, until, atProduction };
}

test("a week's Retry-After holds for schedule, command, changed settings and restarts; then it goes on by itself", async () => {
  const { stage, until, atProduction } = await patientStage();
  for (let day = 0; day < 6; day += 1) {
    const report = last(await stage.live(DAY, { everyMs: 6 * HOUR }));
    expect(outcomes(report)).toEqual(["a.test held TEST_CA_FAILED"]);
    expect(report.nextAt).toEqual(until);
    expect(outcomes(await stage.command())).toEqual(["a.test held TEST_CA_FAILED"]);
    expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test held TEST_CA_FAILED"]);
    stage.set(`a.test,www${day}.a.test`);
  }
  expect(atProduction()).toBe(1);
  expect(isReached(last(await stage.live(2 * DAY, { everyMs: 6 * HOUR })))).toBe(true);
  expect(stage.ca.orders[1]?.at).toEqual(until);
});

test("a plain failure at another CA doesn't make the first one's week shorter", async () => {
  const { stage, atProduction } = await patientStage();
  const refuse = stage.ca.answer;
  stage.ca.answer = (order) => {
    refuse(order);
    throw new CaFailure();
  };
  stage.set("a.test", { directoryUrl: OTHER_CA });
  await stage.run();
  expect(stage.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([PRODUCTION, OTHER_CA]);
  stage.set("a.test", { directoryUrl: PRODUCTION });
  await stage.command({ isForced: true });
  expect(atProduction()).toBe(1);
});

test("another CA may be asked at once, and its success doesn't make the first one's week shorter", async () => {
  const { stage, atProduction } = await patientStage();
  stage.set("a.test", { directoryUrl: OTHER_CA });
  expect(isReached(await stage.run())).toBe(true);
  stage.set("a.test", { directoryUrl: PRODUCTION });
  expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test held TEST_CA_FAILED"]);
  expect(atProduction()).toBe(1);
});

test("update-cert --staging in such a week doesn't lead to an order at production", async () => {
  const { stage, atProduction } = await patientStage();
  expect(outcomes(await stage.command({ order: { directoryUrl: STAGING } }))).toEqual(["a.test issued"]);
  await stage.live(DAY, { everyMs: 6 * HOUR });
  expect(atProduction()).toBe(1);
  expect(isReached(last(await stage.live(7 * DAY, { everyMs: 6 * HOUR })))).toBe(true);
  expect(stage.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([PRODUCTION, STAGING, PRODUCTION]);
});

test("a shorter Retry-After of another CA doesn't make the first one's week shorter", async () => {
  const { stage, atProduction } = await patientStage();
  const refuse = stage.ca.answer;
  stage.ca.answer = (order) => {
    refuse(order);
    throw new CaFailure(new Date(stage.now().getTime() + HOUR));
  };
  stage.set("a.test", { directoryUrl: OTHER_CA });
  await stage.run();
  stage.set("a.test", { directoryUrl: PRODUCTION });
  await stage.command();
  expect(atProduction()).toBe(1);
});

test("patience that a CA asks for beyond the alarm isn't slept through: what is ending is told in time", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(61 * DAY);
  const until = new Date(stage.now().getTime() + 28 * DAY);
  stage.ca.answer = () => {
    throw new CaFailure(until);
  };
  const startedAt = stage.now().getTime();
  const reports = await stage.live(29 * DAY, { everyMs: 60 * DAY });
  const days = reports.map(({ finishedAt }) => (finishedAt.getTime() - startedAt) / DAY);
  // A sixth and a twentieth of its life are left.
  for (const mark of [14, 24.5]) expect(days.filter((day) => Math.abs(day - mark) < 0.001)).toHaveLength(1);
  expect(stage.ca.orders.slice(1).map(({ at }) => at)).toEqual(expect.arrayContaining([until]));
});

describe("a CA that refuses to register us", () => {
  /** A stage of three certificates, whose CA knows no account of ours until `isMended`. */
  function strangerStage() {
    const mended = { isMended: false };
    const stage = reconcileStage({ domains: "a.test;b.test;c.test" }).then((made) => {
      made.ca.answer = () => {
        if (!mended.isMended) throw new CaFailure(new Date(made.now().getTime() + DAY), { isOurs: true });
      };
      return made;
    });
    return { stage, mended };
  }

  test("is asked once a day, however many certificates wait for it", async () => {
    const stage = await strangerStage().stage;
    const reports = await stage.live(5 * DAY - HOUR, { everyMs: HOUR });
    // All at once, for which the account's own queue makes one registration.
    expect(stage.gaps().filter((minutes) => minutes > 0)).toEqual(Array(4).fill(24 * 60));
    expect(outcomes(last(reports))).toEqual(["a", "b", "c"].map((name) => `${name}.test held TEST_CA_FAILED`));
  });

  test("is asked at once by update-cert", async () => {
    const stage = await strangerStage().stage;
    await stage.run();
    const before = stage.ca.orders.length;
    await stage.run();
    expect(stage.ca.orders).toHaveLength(before);
    await stage.command();
    expect(stage.ca.orders.length).toBeGreaterThan(before);
  });

  test("is asked at once with other settings", async () => {
    const { stage: making, mended } = strangerStage();
    const stage = await making;
    await stage.run();
    mended.isMended = true;
    expect(isReached(await stage.run())).toBe(false);
    stage.policy = { ...stage.policy, settingsDigest: "other credentials" };
    expect(isReached(await stage.run())).toBe(true);
  });

  test("is asked when a certificate is about to lapse, whatever we wait for", async () => {
    const stage = await reconcileStage();
    await stage.run();
    stage.pass(89 * DAY);
    stage.ca.answer = () => {
      throw new CaFailure(new Date(stage.now().getTime() + DAY), { isOurs: true });
    };
    await stage.run();
    stage.ca.answer = () => undefined;
    expect(isReached(last(await stage.live(3 * HOUR)))).toBe(true);
  });
});
