import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planRetry } from "../../../src/certificate/index.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const failedAt = new Date("2026-01-01T00:00:00Z");
const middle = () => 0.5; // no jitter
// Of a 6-day certificate, so much is left.
const life = (remainingMs: number) => {
  const notAfter = new Date(failedAt.getTime() + remainingMs);
  return { notBefore: new Date(notAfter.getTime() - 6 * DAY_MS), notAfter };
};
const waitMs = (retryAt: Date) => retryAt.getTime() - failedAt.getTime();

test("waits 1, 10, 100 minutes, then a day, as Let's Encrypt asks", () => {
  const waits = [1, 2, 3, 4, 5, 50].map((failures) => waitMs(planRetry({ failures, failedAt }, middle)));
  expect(waits).toEqual([MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS, DAY_MS, DAY_MS]);
});

test("moves each wait by at most a tenth, so that many hosts don't come at once", () => {
  expect(waitMs(planRetry({ failures: 1, failedAt }, () => 0))).toBe(54_000);
  expect(waitMs(planRetry({ failures: 1, failedAt }, () => 0.999_999))).toBeLessThanOrEqual(66_000);
});

test("obeys the CA's Retry-After when it is later, and not when it is sooner", () => {
  const later = new Date(failedAt.getTime() + 36 * 3600_000);
  expect(planRetry({ failures: 1, failedAt, notBefore: later }, middle)).toEqual(later);
  const sooner = new Date(failedAt.getTime() + 1000);
  expect(waitMs(planRetry({ failures: 1, failedAt, notBefore: sooner }, middle))).toBe(MINUTE_MS);
});

test("tries sooner when the certificate lapses before the plain step is over", () => {
  expect(waitMs(planRetry({ failures: 4, failedAt, validity: life(4 * 3600_000) }, middle))).toBe(30 * MINUTE_MS);
});

test("is as patient with an expired certificate as with none", () => {
  expect(waitMs(planRetry({ failures: 4, failedAt, validity: life(-DAY_MS) }, middle))).toBe(DAY_MS);
});

test("does not crowd its tries towards the end: an hour apart for 90 days", () => {
  const notAfter = new Date(failedAt.getTime() + 600_000);
  const validity = { notBefore: new Date(notAfter.getTime() - 90 * DAY_MS), notAfter };
  expect(waitMs(planRetry({ failures: 9, failedAt, validity }, middle))).toBe((90 * DAY_MS) / 2000);
});

test("always waits some seconds, never much over a day, and leaves time for more tries while the certificate lives", () => {
  const lives = fc.integer({ min: 10 * MINUTE_MS, max: 200 * DAY_MS });
  const share = fc.double({ min: 0.001, max: 1, noNaN: true });
  const failures = fc.integer({ min: 1, max: 1000 });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(lives, share, failures, random, (lifetimeMs, left, failures, random) => {
      const notAfter = new Date(failedAt.getTime() + lifetimeMs * left);
      const validity = { notBefore: new Date(notAfter.getTime() - lifetimeMs), notAfter };
      const wait = waitMs(planRetry({ failures, failedAt, validity }, () => random));
      expect(wait).toBeGreaterThanOrEqual(4500);
      expect(wait).toBeLessThanOrEqual(1.1 * DAY_MS);
      expect(wait).toBeLessThan(Math.max(lifetimeMs / 1500, (lifetimeMs * left) / 2, 5501));
    }),
  );
});
