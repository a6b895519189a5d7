import * as fc from "fast-check";
import { expect, test } from "vitest";
import { alarmAt, lastResortAt, lifetimeMs, planRenewal, type RenewalPlan } from "../../../src/certificate/index.ts";
import { anyLives, at, DAY_MS, instants, life, lives, MINUTE_MS, shares, YEAR_MS } from "./arbitraries.ts";

const facts = fc.record({ validity: anyLives, suggestedAt: fc.option(instants, { nil: undefined }) });
const dueAt = (plan: RenewalPlan, now: Date) => (plan.kind === "wait" ? plan.until : now);

test("a 90-day certificate is due with a third of its life left", () => {
  const validity = life(90 * DAY_MS);
  const until = at(60 * DAY_MS);
  expect(planRenewal({ validity }, at(60 * DAY_MS - 1))).toEqual({ kind: "wait", until, because: "lifetime-left" });
  expect(planRenewal({ validity }, until)).toEqual({ kind: "due", because: "lifetime-left" });
});

test("a six-day certificate is due with half of its life left", () => {
  expect(planRenewal({ validity: life(6 * DAY_MS) }, at(3 * DAY_MS - 1)).kind).toBe("wait");
  expect(planRenewal({ validity: life(6 * DAY_MS) }, at(3 * DAY_MS)).kind).toBe("due");
});

test("an hour-long certificate works as the 90-day one", () => {
  expect(planRenewal({ validity: life(60 * MINUTE_MS) }, at(30 * MINUTE_MS - 1)).kind).toBe("wait");
  expect(planRenewal({ validity: life(60 * MINUTE_MS) }, at(30 * MINUTE_MS)).kind).toBe("due");
});

test("for every lifetime it is due before the alarm line, and stays due until the end", () => {
  fc.assert(
    fc.property(lives, shares, (validity, share) => {
      const due = dueAt(planRenewal({ validity }, at(0)), at(0));
      expect(due.getTime()).toBeGreaterThan(at(0).getTime());
      expect(due.getTime()).toBeLessThan(alarmAt(validity).getTime());
      const leftMs = validity.notAfter.getTime() - due.getTime();
      expect(planRenewal({ validity }, new Date(due.getTime() + share * leftMs + 1)).kind).toBe("due");
    }),
  );
});

test("whatever the CA suggests, it is due when a twentieth of the life is left, and a suggestion that is later is no reason", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      const lastAt = lastResortAt(facts.validity);
      expect(lastAt <= facts.validity.notAfter).toBe(true);
      const plan = planRenewal(facts, lastAt);
      const isSuggested = facts.suggestedAt !== undefined && facts.suggestedAt <= lastAt;
      expect(plan).toEqual({ kind: "due", because: isSuggested ? "renewal-info" : "lifetime-left" });
    }),
  );
  const ninety = life(90 * DAY_MS);
  expect(lastResortAt(ninety)).toEqual(at(85.5 * DAY_MS));
  const justInTime = { validity: ninety, suggestedAt: at(85.5 * DAY_MS) };
  expect(planRenewal(justInTime, at(0))).toMatchObject({ until: at(85.5 * DAY_MS), because: "renewal-info" });
  const tooLate = { validity: ninety, suggestedAt: at(89 * DAY_MS) };
  expect(planRenewal(tooLate, at(0))).toEqual({ kind: "wait", until: at(60 * DAY_MS), because: "lifetime-left" });
});

test("the CA's suggestion is kept to the millisecond, sooner or later than a third of the life, up to that line", () => {
  fc.assert(
    fc.property(lives, shares, (validity, share) => {
      const suggestedAt = at(Math.floor(share * 0.95 * lifetimeMs(validity)));
      const before = new Date(suggestedAt.getTime() - 1);
      const because = "renewal-info";
      expect(planRenewal({ validity, suggestedAt }, before)).toEqual({ kind: "wait", until: suggestedAt, because });
      expect(planRenewal({ validity, suggestedAt }, suggestedAt)).toEqual({ kind: "due", because });
    }),
  );
});

test("a suggestion that has passed means now, be it by seconds or by centuries", () => {
  fc.assert(
    fc.property(lives, shares, fc.integer({ min: 0, max: 500 * YEAR_MS }), (validity, share, agoMs) => {
      const now = at(Math.floor(share * 0.95 * lifetimeMs(validity)));
      const suggestedAt = new Date(now.getTime() - agoMs);
      expect(planRenewal({ validity, suggestedAt }, now)).toEqual({ kind: "due", because: "renewal-info" });
    }),
  );
});

test("what is due stays due, and what waits is due at the very instant that it waits for, for the same reason", () => {
  fc.assert(
    fc.property(facts, instants, fc.integer({ min: 0, max: 10 * YEAR_MS }), (facts, now, laterMs) => {
      const plan = planRenewal(facts, now);
      const due = dueAt(plan, now);
      expect(due > now).toBe(plan.kind === "wait");
      expect(planRenewal(facts, new Date(due.getTime() - 1)).kind === "wait" || plan.kind === "due").toBe(true);
      expect(planRenewal(facts, due)).toEqual({ kind: "due", because: plan.because });
      expect(planRenewal(facts, new Date(due.getTime() + laterMs))).toEqual({ kind: "due", because: plan.because });
    }),
  );
});

test("a suggestion that can't be read is none", () => {
  const facts = { validity: life(90 * DAY_MS), suggestedAt: new Date("yesterday") };
  expect(planRenewal(facts, at(0))).toEqual({ kind: "wait", until: at(60 * DAY_MS), because: "lifetime-left" });
});

test("what an operator has asked for counts in the place of a share of the life, and beside the CA's suggestion", () => {
  const validity = life(90 * DAY_MS);
  const asked = { validity, renewBeforeMs: 40 * DAY_MS };
  expect(planRenewal(asked, at(0))).toEqual({ kind: "wait", until: at(50 * DAY_MS), because: "lifetime-left" });
  expect(planRenewal({ ...asked, renewBeforeMs: 10 * DAY_MS }, at(0))).toMatchObject({ until: at(80 * DAY_MS) });
  const sooner = planRenewal({ ...asked, suggestedAt: at(45 * DAY_MS) }, at(0));
  expect(sooner).toEqual({ kind: "wait", until: at(45 * DAY_MS), because: "renewal-info" });
  const later = planRenewal({ ...asked, suggestedAt: at(55 * DAY_MS) }, at(0));
  expect(later).toMatchObject({ until: at(50 * DAY_MS), because: "lifetime-left" });
});

test("what an operator has asked for makes nothing due on arrival, nor lets it lapse", () => {
  fc.assert(
    fc.property(lives, fc.nat({ max: 10 * YEAR_MS }), (validity, renewBeforeMs) => {
      const due = dueAt(planRenewal({ validity, renewBeforeMs }, at(0)), at(0));
      expect(due.getTime()).toBeGreaterThan(validity.notBefore.getTime() + lifetimeMs(validity) / 5);
      expect(due.getTime()).toBeLessThanOrEqual(lastResortAt(validity).getTime());
    }),
  );
});
