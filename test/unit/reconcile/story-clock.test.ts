import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { CaFailure, DAY, deploys, HOUR, last, MINUTE, reconcileStage } from "../../support/reconcile-stage.ts";

const JUMPS_IN_HOURS = [-9600, -240, -5, 5, 240, 9600];

test.each(JUMPS_IN_HOURS)(
  "a jump of %d hours after failures costs no more than the back-off of a day",
  async (hours) => {
    const stage = await reconcileStage();
    stage.ca.answer = () => {
      throw new CaFailure();
    };
    await stage.live(2 * DAY, { everyMs: 6 * HOUR });
    stage.ca.answer = () => undefined;
    stage.pass(hours * HOUR);
    expect(isReached(last(await stage.live(1.2 * DAY, { everyMs: 6 * HOUR })))).toBe(true);
  },
);

test.each(JUMPS_IN_HOURS)(
  "a jump of %d hours after the CA has asked for an hour costs no more than a day",
  async (hours) => {
    const stage = await reconcileStage();
    const until = new Date(stage.now().getTime() + HOUR);
    stage.ca.answer = () => {
      stage.ca.answer = () => undefined;
      throw new CaFailure(until);
    };
    await stage.run();
    stage.pass(hours * HOUR);
    expect(isReached(last(await stage.live(DAY, { everyMs: 6 * HOUR })))).toBe(true);
    expect(stage.ca.orders).toHaveLength(2);
  },
);

test.each(JUMPS_IN_HOURS)("a jump of %d hours after a failed reload costs no more than an hour", async (hours) => {
  const stage = await reconcileStage();
  stage.nginx.refuses = () => true;
  await stage.run();
  stage.nginx.refuses = () => false;
  stage.pass(hours * HOUR);
  const reports = await stage.live(HOUR, { everyMs: 6 * HOUR });
  expect(reports.flatMap(deploys)).toContain("nginx-1 a.test deployed");
});

test.each(JUMPS_IN_HOURS)(
  "a jump of %d hours doesn't keep a renewal from coming before the certificate lapses",
  async (hours) => {
    const stage = await reconcileStage({ lifeMs: 90 * DAY });
    const windows = new Map<string, number>();
    stage.ca.suggestion = (_, certificateId) => {
      const now = stage.now().getTime();
      const from = windows.get(certificateId) ?? now + 55 * DAY;
      windows.set(certificateId, from);
      const [startAt, endAt] = [new Date(from), new Date(from + 5 * DAY)];
      return { kind: "window", startAt, endAt, askAgainAt: new Date(now + 24 * HOUR) };
    };
    await stage.live(30 * DAY, { everyMs: 2 * DAY });
    stage.pass(hours * HOUR);
    await stage.live(130 * DAY, { everyMs: 2 * DAY });
    const last = stage.ca.orders.at(-1)?.at.getTime() ?? 0;
    expect(stage.now().getTime() - last).toBeLessThan(61 * DAY);
    // Each of them in time: never more than a life apart by a clock that was right.
    const gapDays = stage.gaps(1).map((minutes) => (minutes * MINUTE) / DAY);
    expect(Math.max(...gapDays.slice(1))).toBeLessThan(61);
  },
);
