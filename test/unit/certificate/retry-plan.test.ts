import * as fc from "fast-check";
import { expect, test } from "vitest";
import { lifetimeMs, markAt, planRetry, type Validity } from "../../../src/certificate/index.ts";
import { anyLives, DAY_MS, HOUR_MS, instants, lives, MINUTE_MS, randoms, shares } from "./arbitraries.ts";

const failedAt = new Date("2026-01-01T00:00:00Z");
const middle = () => 0.5; // no jitter
// Of a certificate that lives six days, or `ofMs`, so much is left.
const left = (remainingMs: number, ofMs = 6 * DAY_MS): Validity => {
  const notAfter = new Date(failedAt.getTime() + remainingMs);
  return { notBefore: new Date(notAfter.getTime() - ofMs), notAfter };
};
const waitMs = (retryAt: Date) => retryAt.getTime() - failedAt.getTime();
const failuresInARow = fc.integer({ min: 1, max: 1000 });

test("waits 1, 10, 100 minutes, then a day, as Let's Encrypt asks", () => {
  const waits = [1, 2, 3, 4, 5, 50].map((failures) => waitMs(planRetry({ failures, failedAt }, middle)));
  expect(waits).toEqual([MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS, DAY_MS, DAY_MS]);
});

test("moves each wait by at most a tenth, so that many hosts don't come at once", () => {
  expect(waitMs(planRetry({ failures: 1, failedAt }, () => 0))).toBe(54_000);
  expect(waitMs(planRetry({ failures: 1, failedAt }, () => 0.999_999))).toBeLessThanOrEqual(66_000);
});

test("tries sooner when the certificate lapses before the plain step is over", () => {
  const wait = planRetry({ failures: 4, failedAt, validity: left(4 * HOUR_MS) }, middle);
  expect(waitMs(wait)).toBe(30 * MINUTE_MS);
});

test("is as patient with an expired certificate as its life was long: a day for 90 days, minutes for an hour", () => {
  const patience = (lifeMs: number) =>
    waitMs(planRetry({ failures: 9, failedAt, validity: left(-DAY_MS, lifeMs) }, middle));
  expect(patience(90 * DAY_MS)).toBe(DAY_MS);
  expect(patience(6 * DAY_MS)).toBe(18 * HOUR_MS);
  expect(patience(HOUR_MS)).toBe(7.5 * MINUTE_MS);
});

test("does not crowd its tries towards the end: an hour apart for 90 days", () => {
  const validity = left(10 * MINUTE_MS, 90 * DAY_MS);
  expect(waitMs(planRetry({ failures: 9, failedAt, validity }, middle))).toBe((90 * DAY_MS) / 2000);
});

test("always waits a second or two at least and hardly more than a day, with any life and any count on disk", () => {
  const counts = fc.oneof(failuresInARow, fc.constantFrom(0, -3, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER));
  const lives = fc.option(anyLives, { nil: undefined });
  fc.assert(
    fc.property(counts, instants, lives, randoms, (failures, failedAt, validity, random) => {
      const ms = planRetry({ failures, failedAt, validity }, () => random).getTime() - failedAt.getTime();
      expect(ms).toBeGreaterThanOrEqual(1800);
      expect(ms).toBeLessThanOrEqual(1.1 * DAY_MS);
    }),
  );
});

test("as long as a 250th of the life is left, the next try comes before the end, and leaves time for more", () => {
  fc.assert(
    fc.property(lives, shares, failuresInARow, randoms, (validity, share, failures, random) => {
      const failedAt = markAt(validity, 1 / 250 + share * (1 - 1 / 250));
      const retryAt = planRetry({ failures, failedAt, validity }, () => random);
      expect(retryAt.getTime()).toBeLessThan(validity.notAfter.getTime());
      const remainingMs = validity.notAfter.getTime() - failedAt.getTime();
      const usual = Math.max(remainingMs / 7, lifetimeMs(validity) / 1800, 2200);
      expect(retryAt.getTime() - failedAt.getTime()).toBeLessThanOrEqual(usual);
    }),
  );
});

test("never waits longer because less is left", () => {
  fc.assert(
    fc.property(lives, shares, shares, fc.tuple(failuresInARow, randoms), (validity, a, b, [failures, random]) => {
      const waitWith = (share: number) => {
        const validityThen = left(1 + share * lifetimeMs(validity), lifetimeMs(validity));
        return waitMs(planRetry({ failures, failedAt, validity: validityThen }, () => random));
      };
      expect(waitWith(Math.min(a, b))).toBeLessThanOrEqual(waitWith(Math.max(a, b)));
    }),
  );
});

test("a CA that refuses from a third of the life to its end is asked a dozen times at least, and two hundred at most", () => {
  fc.assert(
    fc.property(lives, fc.array(randoms, { minLength: 1 }), (validity, randoms) => {
      let failures = 0;
      for (let now = markAt(validity, 1 / 3); now < validity.notAfter; failures += 1) {
        const random = randoms[failures % randoms.length] ?? 0;
        now = planRetry({ failures: failures + 1, failedAt: now, validity }, () => random);
      }
      expect(failures).toBeGreaterThanOrEqual(12);
      expect(failures).toBeLessThanOrEqual(200);
    }),
  );
});
