import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  alarmAt,
  earliest,
  lastResortAt,
  lookAgainAt,
  lookSoonAt,
  planRenewal,
  soonest,
  whenNext,
  type NextFacts,
} from "../../../src/certificate/index.ts";
import { at, DAY_MS, HOUR_MS, life, lives, MINUTE_MS, spans, YEAR_MS } from "./arbitraries.ts";

const now = at(60 * DAY_MS);
const later = (ms: number) => new Date(now.getTime() + ms);
const words = (facts: Omit<NextFacts, "now">) =>
  whenNext({ now, ...facts }).map((due) => `${due.why} ${(due.at.getTime() - now.getTime()) / HOUR_MS}`);

describe("when something is due next for a certificate", () => {
  const validity = life(90 * DAY_MS);

  test("is at its renewal, and when its CA is to be asked again", () => {
    const good = { validity, renewAt: later(10 * HOUR_MS), questionAt: later(6 * HOUR_MS) };
    expect(words(good)).toEqual(["question 6", "renewal 10"]);
    // What was not asked though its time has come has no CA to ask; nor is there anything to ask of what has expired.
    expect(words({ ...good, questionAt: now })).toEqual(["renewal 10"]);
    expect(words({ ...good, validity: life(DAY_MS) })).toEqual(["renewal 10"]);
  });

  test("is at once where it is new, to ask its CA", () => {
    expect(words({ validity, renewAt: later(HOUR_MS), isNew: true })).toEqual(["question 0", "renewal 1"]);
  });

  test("is the next try, or what may end the wait before it", () => {
    expect(words({ validity, tryAt: later(24 * HOUR_MS), lookAt: later(HOUR_MS) })).toEqual(["look 1", "try 24"]);
  });

  test("is not slept through where its life comes to its end and a version is owed", () => {
    const ending = { validity, tryAt: later(29 * DAY_MS) };
    expect(words(ending)).toEqual([`mark ${15 * 24}`, `mark ${25.5 * 24}`, `try ${29 * 24}`]);
  });

  test("is never, where nothing is done by itself", () => {
    expect(words({ validity })).toEqual([]);
  });
});

const moment = spans(1, 2 * YEAR_MS).chain((ms) => fc.constantFrom(at(ms), at(-ms)));
const maybe = fc.option(moment, { nil: undefined });
const anyFacts: fc.Arbitrary<NextFacts> = fc.record({
  now: moment,
  validity: fc.option(lives, { nil: undefined }),
  renewAt: maybe,
  tryAt: maybe,
  lookAt: maybe,
  questionAt: maybe,
  isNew: fc.boolean(),
});
const first = (facts: NextFacts) => whenNext(facts)[0]?.at.getTime() ?? Number.POSITIVE_INFINITY;

describe("whatever is known of a certificate", () => {
  test("what is due was not before, and the soonest comes first", () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const moments = whenNext(facts).map((due) => due.at.getTime());
        expect(moments.every((ms) => ms >= facts.now.getTime())).toBe(true);
        expect(moments).toEqual(moments.toSorted((a, b) => a - b));
      }),
    );
  });

  test("a step is due when it may be done, and at once where that has been", () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const steps = whenNext(facts).filter(({ why }) => why === "renewal" || why === "try");
        const asked = [facts.renewAt, facts.tryAt].flatMap((one) => (one ? [Math.max(+one, +facts.now)] : []));
        expect(steps.map((due) => due.at.getTime())).toEqual(asked.toSorted((a, b) => a - b));
      }),
    );
  });

  test("a version that is owed is looked at before the alarm, and before the last resort", () => {
    fc.assert(
      fc.property(anyFacts, lives, moment, (facts, validity, tryAt) => {
        const marks = [alarmAt(validity), lastResortAt(validity)].filter((mark) => mark > facts.now);
        const latest = Math.min(...marks.map((mark) => mark.getTime()));
        expect(first({ ...facts, validity, tryAt })).toBeLessThanOrEqual(latest);
      }),
    );
  });

  test("a good one is renewed before the last resort, whatever its CA suggests", () => {
    fc.assert(
      fc.property(lives, moment, maybe, (validity, at, suggestedAt) => {
        const plan = planRenewal({ validity, suggestedAt }, at);
        const due = first({ now: at, validity, renewAt: plan.kind === "wait" ? plan.until : at });
        expect(due).toBeLessThanOrEqual(Math.max(at.getTime(), lastResortAt(validity).getTime()));
      }),
    );
  });

  test("what comes later makes nothing due sooner", () => {
    const names = ["renewAt", "tryAt", "lookAt", "questionAt"] as const;
    fc.assert(
      fc.property(anyFacts, fc.constantFrom(...names), spans(1, YEAR_MS), (facts, name, ms) => {
        const before = facts[name];
        // A question whose time has come can't be asked: one that is to come can.
        if (!before || (name === "questionAt" && before <= facts.now)) return;
        expect(first({ ...facts, [name]: new Date(before.getTime() + ms) })).toBeGreaterThanOrEqual(first(facts));
      }),
    );
  });
});

test("where two CAs are in question the wait is that of the sooner one, with a look before it and never after it", () => {
  const waits = [{ until: later(HOUR_MS), recheckAt: later(3 * HOUR_MS) }, { until: later(2 * HOUR_MS) }] as const;
  expect(soonest(waits, undefined)).toEqual({ until: later(HOUR_MS), recheckAt: undefined });
  expect(soonest(waits, later(MINUTE_MS))).toEqual({ until: later(HOUR_MS), recheckAt: later(MINUTE_MS) });
});

test("what ends at no known moment is looked at after ten minutes; what may only be starting, sooner in the first", () => {
  expect(lookAgainAt(now)).toEqual(later(10 * MINUTE_MS));
  const second = MINUTE_MS / 60;
  const pauses = [0, 5, 20, 59, 60, -1].map((age) => lookSoonAt(now, later(-age * second)).getTime() - now.getTime());
  expect(pauses).toEqual([5, 5, 20, 59, 600, 600].map((seconds) => seconds * second));
  expect(lookSoonAt(now, undefined)).toEqual(lookAgainAt(now));
});

test("the earliest of some moments is one of them, and there is none of none", () => {
  expect(earliest(undefined, later(2), later(1), undefined)).toEqual(later(1));
  expect(earliest(undefined)).toBeUndefined();
});
