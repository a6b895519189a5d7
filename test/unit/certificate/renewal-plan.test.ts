import * as fc from "fast-check";
import { expect, test } from "vitest";
import { alarmAt, lifetimeMs, planRenewal, type Validity } from "../../../src/certificate/index.ts";

const DAY_MS = 24 * 3600 * 1000;
const MINUTE_MS = 60_000;
const notBefore = new Date("2026-01-01T00:00:00Z");
const life = (ms: number): Validity => ({ notBefore, notAfter: new Date(notBefore.getTime() + ms) });
const at = (ms: number) => new Date(notBefore.getTime() + ms);

test("a 90-day certificate is due with a third of its life left", () => {
  expect(planRenewal(life(90 * DAY_MS), at(60 * DAY_MS - 1))).toEqual({ kind: "wait", until: at(60 * DAY_MS) });
  expect(planRenewal(life(90 * DAY_MS), at(60 * DAY_MS))).toEqual({ kind: "due", because: "lifetime-left" });
});

test("a six-day certificate is due with half of its life left", () => {
  expect(planRenewal(life(6 * DAY_MS), at(3 * DAY_MS - 1)).kind).toBe("wait");
  expect(planRenewal(life(6 * DAY_MS), at(3 * DAY_MS)).kind).toBe("due");
});

test("an hour-long certificate works as the 90-day one", () => {
  expect(planRenewal(life(60 * MINUTE_MS), at(30 * MINUTE_MS - 1)).kind).toBe("wait");
  expect(planRenewal(life(60 * MINUTE_MS), at(30 * MINUTE_MS)).kind).toBe("due");
});

test("for every lifetime it is due before the alarm line, and stays due until the end", () => {
  const lifetimes = fc.integer({ min: 10 * MINUTE_MS, max: 200 * DAY_MS });
  fc.assert(
    fc.property(lifetimes, fc.double({ min: 0, max: 1, noNaN: true }), (ms, share) => {
      const one = life(ms);
      const plan = planRenewal(one, at(0));
      const dueAt = plan.kind === "wait" ? plan.until : notBefore;
      const dueMs = dueAt.getTime() - notBefore.getTime();
      expect(dueMs).toBeGreaterThan(0);
      expect(dueAt.getTime()).toBeLessThan(alarmAt(one).getTime());
      expect(planRenewal(one, at(dueMs + share * (lifetimeMs(one) - dueMs) + 1)).kind).toBe("due");
    }),
  );
});
