import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PROBE_EVERY_MS, planProbe, type ProbeFacts } from "../../../src/certificate/index.ts";
import { at, DAY_MS, instants, life, lives, MINUTE_MS, shares } from "./arbitraries.ts";

const failedAt = at(60 * DAY_MS);
const facts = (changed: Partial<ProbeFacts>): ProbeFacts => ({
  origin: "ca-failing",
  failedAt,
  isSeenDown: false,
  validity: life(90 * DAY_MS),
  ...changed,
});
const after = (ms: number) => new Date(failedAt.getTime() + ms);

test("a CA that could not be reached is looked at half an hour later, and tried again once it answers", () => {
  const plan = { probeAt: after(30 * MINUTE_MS), liftsAt: after(30 * MINUTE_MS) };
  expect(planProbe(facts({ origin: "ca-unreachable" }), failedAt)).toEqual(plan);
  expect(planProbe(facts({ origin: "proxy" }), failedAt)).toEqual(plan);
});

test("a CA that fails in orders is tried again after three quarters of an hour, or once it has been down", () => {
  expect(planProbe(facts({}), failedAt)?.liftsAt).toEqual(after(45 * MINUTE_MS));
  expect(planProbe(facts({ isSeenDown: true }), failedAt)?.liftsAt).toEqual(after(30 * MINUTE_MS));
  expect(planProbe(facts({ validity: undefined }), failedAt)?.liftsAt).toEqual(after(DAY_MS));
});

test.each(["here", "proof", "ca-refused", undefined] as const)(
  "after a failure of the kind %s no probe helps",
  (origin) => {
    expect(planProbe(facts({ origin }), failedAt)).toBeUndefined();
  },
);

test("no probe comes sooner than half an hour, none ends a back-off before that, and a day is the longest", () => {
  const origins = fc.constantFrom("ca-failing" as const, "ca-unreachable" as const);
  fc.assert(
    fc.property(origins, fc.boolean(), lives, instants, (origin, isSeenDown, validity, now) => {
      const plan = planProbe(facts({ origin, isSeenDown, validity }), now);
      expect(plan?.probeAt).toEqual(after(PROBE_EVERY_MS));
      expect(plan?.liftsAt.getTime()).toBeGreaterThanOrEqual(plan?.probeAt.getTime() ?? Number.NaN);
      expect(plan?.liftsAt.getTime()).toBeLessThanOrEqual(after(DAY_MS).getTime());
    }),
  );
});

test("the less is left, the sooner a failing CA is tried again", () => {
  fc.assert(
    fc.property(lives, shares, shares, (validity, a, b) => {
      const lifeMs = validity.notAfter.getTime() - at(0).getTime();
      const [sooner, later] = [Math.min(a, b), Math.max(a, b)].map((share) => at(Math.floor(share * (lifeMs - 1))));
      const lifts = (now = at(0)) => planProbe(facts({ validity }), now)?.liftsAt.getTime() ?? Number.NaN;
      expect(lifts(later)).toBeLessThanOrEqual(lifts(sooner));
    }),
  );
});
