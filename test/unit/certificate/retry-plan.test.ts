import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planRetry } from "../../../src/certificate/index.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const failedAt = new Date("2026-01-01T00:00:00Z");
const middle = () => 0.5; // no jitter
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
  const notAfter = new Date(failedAt.getTime() + 4 * 3600_000);
  expect(waitMs(planRetry({ failures: 4, failedAt, notAfter }, middle))).toBe(30 * MINUTE_MS);
});

test("is as patient with an expired certificate as with none", () => {
  const notAfter = new Date(failedAt.getTime() - DAY_MS);
  expect(waitMs(planRetry({ failures: 4, failedAt, notAfter }, middle))).toBe(DAY_MS);
});

test("always waits some seconds, never much over a day, and leaves time for more tries while the certificate lives", () => {
  const facts = fc.record({
    failures: fc.integer({ min: 1, max: 1000 }),
    remainingMs: fc.integer({ min: 1, max: 200 * DAY_MS }),
  });
  fc.assert(
    fc.property(
      facts,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      ({ failures, remainingMs }, random) => {
        const notAfter = new Date(failedAt.getTime() + remainingMs);
        const wait = waitMs(planRetry({ failures, failedAt, notAfter }, () => random));
        expect(wait).toBeGreaterThanOrEqual(4500);
        expect(wait).toBeLessThanOrEqual(1.1 * DAY_MS);
        expect(wait).toBeLessThan(Math.max(MINUTE_MS, remainingMs) / 2);
      },
    ),
  );
});
