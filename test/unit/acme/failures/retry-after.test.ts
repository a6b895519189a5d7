import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRetryAfter } from "../../../../src/acme/failures/retry-after.ts";

const NOW = new Date("2026-11-22T01:00:00Z");

describe("Retry-After", () => {
  test.each([
    ["120", "2026-11-22T01:02:00.000Z"],
    [" 0 ", "2026-11-22T01:00:00.000Z"],
    ["Sun, 22 Nov 2026 05:00:00 GMT", "2026-11-22T05:00:00.000Z"],
    ["Sunday, 22-Nov-26 05:00:00 GMT", "2026-11-22T05:00:00.000Z"],
    ["Sat, 21 Nov 2026 01:00:00 GMT", "2026-11-21T01:00:00.000Z"],
  ])("%j names an instant", (header, expected) => {
    expect(parseRetryAfter(header, NOW)?.toISOString()).toBe(expected);
  });

  test.each([undefined, "", "soon", "-5", "1.5", "in 5 minutes"])("%j names none", (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });

  test("a nonsensical number of seconds is cut to 31 days and never gives an invalid date", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 400n }), (seconds) => {
        const found = parseRetryAfter(String(seconds), NOW);
        expect(found?.toISOString() && found.getTime() - NOW.getTime()).toBeLessThanOrEqual(31 * 24 * 3600 * 1000);
      }),
    );
  });
});
