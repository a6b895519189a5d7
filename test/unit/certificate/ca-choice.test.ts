import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fallbackAt, lifetimeMs } from "../../../src/certificate/index.ts";
import { at, DAY_MS, life, lives, shares } from "./arbitraries.ts";

const failures = fc.integer({ min: 1, max: 1000 });

test("is the fallback's turn when a quarter of the life has gone that was left when the first CA began to fail", () => {
  const failingSince = at(60 * DAY_MS);
  expect(fallbackAt({ failures: 1, failingSince, validity: life(90 * DAY_MS) })).toEqual(at(67.5 * DAY_MS));
});

test("is the fallback's turn after the third failure where nothing valid is served", () => {
  const failingSince = at(91 * DAY_MS);
  for (const validity of [undefined, life(90 * DAY_MS)]) {
    expect(fallbackAt({ failures: 2, failingSince, validity })).toBeUndefined();
    expect(fallbackAt({ failures: 3, failingSince, validity })).toEqual(failingSince);
  }
});

test("is never the fallback's turn while the first CA has not failed", () => {
  expect(fallbackAt({ failures: 0, validity: life(90 * DAY_MS) })).toBeUndefined();
});

test("for every life the first CA has its time, and three quarters of what was left remain for the fallback", () => {
  fc.assert(
    fc.property(lives, shares, failures, (validity, share, failures) => {
      const failingSince = at(Math.floor(share * (lifetimeMs(validity) - 1)));
      const turnMs = (fallbackAt({ failures, failingSince, validity })?.getTime() ?? 0) - failingSince.getTime();
      const leftMs = validity.notAfter.getTime() - failingSince.getTime();
      expect(turnMs).toBeGreaterThanOrEqual(0);
      expect(Math.abs(turnMs - leftMs / 4)).toBeLessThanOrEqual(1);
    }),
  );
});

test("comes no sooner when the trouble began later or the certificate lives longer, whatever the number of failures", () => {
  const turn = (sinceMs: number, lifeMs: number, failures: number) =>
    fallbackAt({ failures, failingSince: at(sinceMs), validity: life(lifeMs) })?.getTime() ?? 0;
  fc.assert(
    fc.property(lives, fc.tuple(shares, shares), failures, ({ notAfter }, [a, b], failures) => {
      const lifeMs = notAfter.getTime() - at(0).getTime();
      const [sooner, later] = [Math.min(a, b), Math.max(a, b)].map((share) => Math.floor(share * (lifeMs - 1)));
      expect(turn(sooner ?? 0, lifeMs, failures)).toBeLessThanOrEqual(turn(later ?? 0, lifeMs, 1));
      expect(turn(sooner ?? 0, lifeMs, failures)).toBeLessThanOrEqual(turn(sooner ?? 0, lifeMs + (later ?? 0), 1));
    }),
  );
});
