import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isRenewalInfoDue,
  nextRenewalInfoAt,
  planRenewal,
  renewalInfoMoment,
  takeRenewalInfo,
  type RenewalInfoAnswer,
  type RenewalInfoState,
} from "../../../src/certificate/index.ts";
import { at, DAY_MS, HOUR_MS, instants, life, lives, MINUTE_MS, randoms, shares, YEAR_MS } from "./arbitraries.ts";

const certificateId = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
const NINETY = { certificateId, validity: life(90 * DAY_MS), now: at(0) };
const START = () => 0; // no jitter, the beginning of a window
const MIDDLE = () => 0.5;

const windows = fc
  .tuple(instants, fc.integer({ min: 1, max: 300 * YEAR_MS }))
  .map(([startAt, ms]) => ({ kind: "window" as const, startAt, endAt: new Date(startAt.getTime() + ms) }));
const answers: fc.Arbitrary<RenewalInfoAnswer> = fc.oneof(
  fc.tuple(windows, fc.option(instants, { nil: undefined })).map(([window, askAgainAt]) => ({ ...window, askAgainAt })),
  fc.constantFrom({ kind: "unsupported" }, { kind: "temporary", reason: "504" }, { kind: "long-term", reason: "404" }),
);
const facts = fc.tuple(lives, shares).map(([validity, share]) => {
  const now = new Date(validity.notBefore.getTime() + share * (validity.notAfter.getTime() - at(0).getTime()) - 1);
  return { certificateId, validity, now };
});
const window = (startDay: number, endDay: number) =>
  ({ kind: "window", startAt: at(startDay * DAY_MS), endAt: at(endDay * DAY_MS) }) as const;
const waitMs = (state: RenewalInfoState, now: Date) => new Date(state.askAgainAt).getTime() - now.getTime();

describe("the moment to renew", () => {
  test("lies within the window, however long that is and wherever", () => {
    fc.assert(
      fc.property(facts, windows, randoms, (facts, window, random) => {
        const moment = renewalInfoMoment(
          takeRenewalInfo(undefined, window, facts, () => random),
          certificateId,
        );
        expect(moment?.getTime()).toBeGreaterThanOrEqual(window.startAt.getTime());
        expect(moment?.getTime()).toBeLessThan(window.endAt.getTime());
      }),
    );
  });

  test("is as likely in one part of the window as in another", () => {
    const drawn = Array.from({ length: 1000 }, (_, index) =>
      takeRenewalInfo(undefined, window(60, 70), NINETY, () => index / 1000),
    );
    const days = drawn.map(
      (state) => ((renewalInfoMoment(state, certificateId)?.getTime() ?? 0) - at(0).getTime()) / DAY_MS,
    );
    const inEach = Array.from({ length: 10 }, (_, day) => days.filter((one) => Math.floor(one) === 60 + day).length);
    expect(inEach).toEqual(Array.from({ length: 10 }, () => 100));
  });

  test("stays while the window stays, and is drawn anew when one of its ends moves", () => {
    const first = takeRenewalInfo(undefined, window(60, 70), NINETY, START);
    expect(takeRenewalInfo(first, window(60, 70), NINETY, MIDDLE).renewAt).toBe(first.renewAt);
    expect(takeRenewalInfo(first, window(60, 71), NINETY, MIDDLE).renewAt).toBe(at(65.5 * DAY_MS).toISOString());
    expect(takeRenewalInfo(first, window(59, 70), NINETY, MIDDLE).renewAt).toBe(at(64.5 * DAY_MS).toISOString());
  });

  test("outlives every error, and ends when the CA no longer has renewal information", () => {
    const first = takeRenewalInfo(undefined, window(60, 70), NINETY, MIDDLE);
    for (const kind of ["temporary", "long-term"] as const) {
      const after = takeRenewalInfo(first, { kind, reason: "no" }, NINETY, START);
      expect(after).toMatchObject({ window: first.window, renewAt: first.renewAt, problem: "no" });
      expect(takeRenewalInfo(after, window(60, 70), NINETY, START)).toMatchObject({
        renewAt: first.renewAt,
        failures: 0,
      });
    }
    const without = takeRenewalInfo(first, { kind: "unsupported" }, NINETY, START);
    expect(renewalInfoMoment(without, certificateId)).toBeUndefined();
  });

  test("that has passed makes the certificate due at once", () => {
    const now = at(10 * DAY_MS);
    const state = takeRenewalInfo(undefined, window(8, 9), { ...NINETY, now }, MIDDLE);
    const suggestedAt = renewalInfoMoment(state, certificateId);
    expect(planRenewal({ validity: NINETY.validity, suggestedAt }, now)).toEqual({
      kind: "due",
      because: "renewal-info",
    });
  });

  test("of another certificate says nothing, nor does one that can't be read", () => {
    const state = takeRenewalInfo(undefined, window(60, 70), NINETY, MIDDLE);
    expect(renewalInfoMoment(state, "another.one")).toBeUndefined();
    expect(renewalInfoMoment({ ...state, renewAt: "soon" }, certificateId)).toBeUndefined();
    const drawnAgain = takeRenewalInfo({ ...state, renewAt: "soon" }, window(60, 70), NINETY, MIDDLE);
    expect(drawnAgain.renewAt).toBe(at(65 * DAY_MS).toISOString());
    const ofAnother = { ...state, certificateId: "another.one", failures: 3 };
    const after = takeRenewalInfo(ofAnother, { kind: "temporary", reason: "504" }, NINETY, START);
    expect(after).toEqual({ certificateId, askAgainAt: at(MINUTE_MS).toISOString(), failures: 1, problem: "504" });
  });
});

describe("the CA is asked again", () => {
  test("from a minute to hardly more than a day after any answer", () => {
    fc.assert(
      fc.property(answers, facts, randoms, (answer, facts, random) => {
        const waited = waitMs(
          takeRenewalInfo(undefined, answer, facts, () => random),
          facts.now,
        );
        expect(waited).toBeGreaterThanOrEqual(MINUTE_MS);
        expect(waited).toBeLessThanOrEqual(1.1 * DAY_MS);
      }),
    );
  });

  test("when it wants to be, within those limits, and not sooner", () => {
    fc.assert(
      fc.property(facts, windows, instants, (facts, window, askAgainAt) => {
        const state = takeRenewalInfo(undefined, { ...window, askAgainAt }, facts, MIDDLE);
        const wantedMs = askAgainAt.getTime() - facts.now.getTime();
        expect(waitMs(state, facts.now)).toBe(Math.min(Math.max(wantedMs, MINUTE_MS), DAY_MS));
      }),
    );
  });

  test("not before it is due, and then at once, until the certificate expires", () => {
    fc.assert(
      fc.property(answers, facts, fc.tuple(shares, randoms), (answer, facts, [share, random]) => {
        const state = takeRenewalInfo(undefined, answer, facts, () => random);
        const dueAt = nextRenewalInfoAt(state, certificateId);
        const waited = waitMs(state, facts.now);
        const sooner = new Date(facts.now.getTime() + Math.floor(share * (waited - 1)));
        expect(isRenewalInfoDue(state, { ...facts, now: sooner })).toBe(false);
        expect(isRenewalInfoDue(state, { ...facts, now: dueAt ?? facts.now })).toBe(
          dueAt !== undefined && dueAt < facts.validity.notAfter,
        );
        expect(isRenewalInfoDue(state, { ...facts, now: facts.validity.notAfter })).toBe(false);
      }),
    );
  });

  test("at once about a certificate that it hasn't been asked about, or when what is on disk makes no sense", () => {
    const state = takeRenewalInfo(undefined, window(60, 70), NINETY, MIDDLE);
    expect(isRenewalInfoDue(undefined, NINETY)).toBe(true);
    expect(isRenewalInfoDue({ ...state, certificateId: "another.one" }, NINETY)).toBe(true);
    expect(isRenewalInfoDue({ ...state, askAgainAt: "tomorrow" }, NINETY)).toBe(true);
    expect(nextRenewalInfoAt({ ...state, askAgainAt: "tomorrow" }, certificateId)).toBeUndefined();
  });

  test("at once after the clock has been set back by days or years", () => {
    const state = takeRenewalInfo(undefined, window(60, 70), NINETY, MIDDLE);
    expect(isRenewalInfoDue(state, { ...NINETY, now: at(-2 * DAY_MS) })).toBe(true);
    expect(isRenewalInfoDue(state, { ...NINETY, now: at(-9 * YEAR_MS) })).toBe(true);
    expect(isRenewalInfoDue(state, { ...NINETY, now: at(-HOUR_MS) })).toBe(false);
  });

  test("after 1, 4, 16, 60 minutes of errors that may pass, then each six hours", () => {
    let state: RenewalInfoState | undefined;
    const waits = Array.from({ length: 6 }, () => {
      state = takeRenewalInfo(state, { kind: "temporary", reason: "504" }, NINETY, START);
      return waitMs(state, NINETY.now) / MINUTE_MS;
    });
    expect(waits).toEqual([1, 4, 16, 60, 360, 360]);
  });

  test("after six hours when it named no time, or has given an error that lasts", () => {
    expect(waitMs(takeRenewalInfo(undefined, window(60, 70), NINETY, START), NINETY.now)).toBe(6 * HOUR_MS);
    const failed = takeRenewalInfo(undefined, { kind: "long-term", reason: "404" }, NINETY, START);
    expect(waitMs(failed, NINETY.now)).toBe(6 * HOUR_MS);
  });

  test("twenty-four times in the life of a certificate that lives hours, where it named no time", () => {
    const day = { ...NINETY, validity: life(DAY_MS) };
    const tenMinutes = { ...NINETY, validity: life(10 * MINUTE_MS) };
    for (const answer of [window(0, 1), { kind: "long-term", reason: "404" }] as const) {
      expect(waitMs(takeRenewalInfo(undefined, answer, day, START), day.now)).toBe(HOUR_MS);
      expect(waitMs(takeRenewalInfo(undefined, answer, tenMinutes, START), day.now)).toBe(MINUTE_MS);
    }
  });
});

test("the page on which the CA explains a window is kept as long as the CA names it", () => {
  const explained = { ...window(60, 70), explanationUrl: "https://ca.test/why" };
  const first = takeRenewalInfo(undefined, explained, NINETY, MIDDLE);
  const failed = takeRenewalInfo(first, { kind: "temporary", reason: "504" }, NINETY, START);
  expect([first.explanationUrl, failed.explanationUrl]).toEqual(["https://ca.test/why", "https://ca.test/why"]);
  expect(takeRenewalInfo(failed, window(60, 70), NINETY, START).explanationUrl).toBeUndefined();
});
