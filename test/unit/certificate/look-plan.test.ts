import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LOOK_EVERY_MS, planLook, type LookFacts } from "../../../src/certificate/index.ts";
import { at, DAY_MS, instants, life, lives, MINUTE_MS, shares } from "./arbitraries.ts";

const failedAt = at(60 * DAY_MS);
const facts = (changed: Partial<LookFacts>): LookFacts => ({
  origin: "ca-failing",
  failedAt,
  isSeenDown: false,
  validity: life(90 * DAY_MS),
  ...changed,
});
const after = (ms: number) => new Date(failedAt.getTime() + ms);

test("a CA that could not be reached is looked at half an hour later, and tried again once it answers", () => {
  const plan = { lookAt: after(30 * MINUTE_MS), liftsAt: after(30 * MINUTE_MS) };
  expect(planLook(facts({ origin: "ca-unreachable" }), failedAt)).toEqual(plan);
});

test("a CA that fails in orders is tried again after three quarters of an hour, or once it has been down", () => {
  expect(planLook(facts({}), failedAt)?.liftsAt).toEqual(after(45 * MINUTE_MS));
  expect(planLook(facts({ isSeenDown: true }), failedAt)?.liftsAt).toEqual(after(30 * MINUTE_MS));
  expect(planLook(facts({ validity: undefined }), failedAt)?.liftsAt).toEqual(after(DAY_MS));
});

test.each(["here", "proof", "ca-refused", undefined] as const)(
  "after a failure of the kind %s no look helps",
  (origin) => {
    expect(planLook(facts({ origin }), failedAt)).toBeUndefined();
  },
);

test("no look comes sooner than half an hour, none ends a back-off before that, and a day is the longest", () => {
  const origins = fc.constantFrom("ca-failing" as const, "ca-unreachable" as const);
  fc.assert(
    fc.property(origins, fc.boolean(), lives, instants, (origin, isSeenDown, validity, now) => {
      const plan = planLook(facts({ origin, isSeenDown, validity }), now);
      expect(plan?.lookAt).toEqual(after(LOOK_EVERY_MS));
      expect(plan?.liftsAt.getTime()).toBeGreaterThanOrEqual(plan?.lookAt.getTime() ?? Number.NaN);
      expect(plan?.liftsAt.getTime()).toBeLessThanOrEqual(after(DAY_MS).getTime());
    }),
  );
});

test("the less is left, the sooner a failing CA is tried again", () => {
  fc.assert(
    fc.property(lives, shares, shares, (validity, a, b) => {
      const lifeMs = validity.notAfter.getTime() - at(0).getTime();
      const [sooner, later] = [Math.min(a, b), Math.max(a, b)].map((share) => at(Math.floor(share * (lifeMs - 1))));
      const lifts = (now = at(0)) => planLook(facts({ validity }), now)?.liftsAt.getTime() ?? Number.NaN;
      expect(lifts(later)).toBeLessThanOrEqual(lifts(sooner));
    }),
  );
});
