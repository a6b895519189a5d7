import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FailureOrigin } from "../../../src/certificate/index.ts";
import { attemptsOf, type Attempts, type Try } from "../../../src/reconcile/index.ts";
import {
  comparable,
  withIssued,
  withOrderBegun,
  withOrderFailed,
  withPeace,
  withPutBack,
  withRefusal,
  withSeenDown,
} from "../../../src/reconcile/tries.ts";
import { parseState, stateToWrite } from "../../../src/store/state-text.ts";

const FIRST = "https://first.test/dir";
const FALLBACK = "https://fallback.test/dir";
const failureOf = (code: string) => ({ code, message: code, remedy: "Wait." });

/** What happens to one lineage; each with a moment of its own, of a clock that may be set back. */
type Happening = { readonly at: string; readonly settingsDigest: string; readonly nextAttemptAt: string } & (
  | { readonly kind: "begun"; readonly isFallback: boolean; readonly names: string }
  | { readonly kind: "failed"; readonly origin: FailureOrigin }
  | { readonly kind: "unprepared"; readonly isFallback: boolean }
  | { readonly kind: "issued"; readonly isHasty: boolean; readonly isDue: boolean }
  | { readonly kind: "put-back" | "refused" | "peace"; readonly fingerprint: string }
  | { readonly kind: "seen-down"; readonly ca: string }
);

type Life = { readonly tries: readonly Try[]; readonly said: Attempts; readonly begun?: Begun | undefined };
type Begun = Extract<Happening, { readonly kind: "begun" }>;

const caOf = (isFallback: boolean) => (isFallback ? FALLBACK : FIRST);

function aboutOrder({ isFallback, names = "a.test" }: { isFallback: boolean; names?: string }, one: Happening) {
  const { at, settingsDigest, nextAttemptAt } = one;
  return { ca: caOf(isFallback), isFallback: isFallback || undefined, names, settingsDigest, nextAttemptAt, at };
}

/** What each happening makes of the tries, and of what was kept before there was a list of them, field by field. */
function happen({ tries, said, begun }: Life, one: Happening): Life {
  const { at, settingsDigest, nextAttemptAt } = one;
  switch (one.kind) {
    case "begun": {
      const failure = failureOf("ATTEMPT_INTERRUPTED");
      const known = comparable(tries, settingsDigest);
      const failures = attemptsOf(known).failures + 1;
      const begin = { ...aboutOrder(one, one), failures, failure };
      return { tries: withOrderBegun(known, begin), said: saidBegun(said, one), begun: one };
    }
    case "failed": {
      if (!begun) return { tries, said, begun };
      const failure = failureOf(one.origin);
      const failures = Math.max(1, attemptsOf(tries).failures);
      const failed = { ...aboutOrder(begun, one), settingsDigest: begun.settingsDigest, origin: one.origin };
      const after = withOrderFailed(tries, { ...failed, stage: "order", failures, failure });
      return {
        tries: after,
        said: saidFailed(said, { ...one, settingsDigest: begun.settingsDigest }, begun.isFallback),
      };
    }
    case "unprepared": {
      const failures = Math.max(1, attemptsOf(tries).failures);
      const failed = { ...aboutOrder(one, one), stage: "prepare", origin: "here", failures } as const;
      const after = withOrderFailed(tries, { ...failed, failure: failureOf("here") });
      return { tries: after, said: saidFailed(said, { ...one, kind: "failed", origin: "here" }, one.isFallback) };
    }
    case "issued": {
      if (!begun) return { tries, said, begun };
      const { settingsDigest: digest, isFallback } = begun;
      const failures = one.isDue ? Math.max(1, said.failures) : 0;
      const failure = one.isDue ? failureOf("CLOCK_WRONG") : undefined;
      const isHasty = one.isHasty && !one.isDue;
      const pause = one.isDue || isHasty ? nextAttemptAt : undefined;
      const fallback = isFallback ? { at: FALLBACK, first: FIRST } : undefined;
      const hastyRenewals = isHasty ? (said.hastyRenewals ?? 0) + 1 : undefined;
      const { names, ca } = aboutOrder(begun, one);
      const issued = { ca, names, settingsDigest: digest, first: fallback?.first, failures, failure, at, isHasty };
      return {
        tries: withIssued(tries, { ...issued, nextAttemptAt: pause }),
        said: {
          failures,
          lastSuccessAt: at,
          settingsDigest: digest,
          lastDirectoryUrl: ca,
          fallback,
          hastyRenewals,
          nextAttemptAt: pause,
          lastFailure: failure,
          lastFailedAt: failure && at,
        },
      };
    }
    case "put-back":
      return { tries: withPutBack(tries, one.fingerprint, at), said: { ...said, putBack: one.fingerprint } };
    case "refused": {
      if (said.putBack !== one.fingerprint) return { tries, said, begun };
      const failures = said.failures + 1;
      const last = { nextAttemptAt, settingsDigest, failures };
      const failure = failureOf("TARGET_CERTIFICATE_REJECTED");
      return {
        tries: withRefusal(tries, { ...last, at, failure, fingerprint: one.fingerprint }),
        // Nothing is under way any more.
        said: { ...said, ...last, lastFailure: failure, lastFailedAt: at, startedAt: undefined },
      };
    }
    case "peace":
      return { tries: withPeace(tries, one.fingerprint, at), said: saidPeace(said, one.fingerprint) };
    case "seen-down": {
      const failed = said.atCa?.[one.ca];
      const isNews = failed?.origin === "ca-failing";
      const atCa = isNews ? { ...said.atCa, [one.ca]: { ...failed, isSeenDown: true } } : said.atCa;
      return { tries: withSeenDown(tries, [one.ca]), said: { ...said, atCa }, begun };
    }
  }
}

const NO_CA = { atCa: undefined, caFailingSince: undefined, caFailures: undefined, isFallbackTried: undefined };

function saidBegun(before: Attempts, { at, isFallback, names, settingsDigest, nextAttemptAt }: Begun): Attempts {
  const isComparable = before.settingsDigest === settingsDigest;
  const known = isComparable ? before : { ...before, ...NO_CA };
  const failed = known.atCa?.[caOf(isFallback)];
  return {
    ...known,
    failures: isComparable ? before.failures + 1 : 1,
    startedAt: at,
    lastFailedAt: at,
    lastFailure: failureOf("ATTEMPT_INTERRUPTED"),
    nextAttemptAt,
    settingsDigest,
    lastDirectoryUrl: caOf(isFallback),
    lastNames: names,
    isFallbackTried: known.isFallbackTried || isFallback || undefined,
    atCa: failed ? { ...known.atCa, [caOf(isFallback)]: { ...failed, failedAt: at } } : known.atCa,
  };
}

type Failed = Extract<Happening, { readonly kind: "failed" }>;

function saidFailed(
  before: Attempts,
  { at, origin, settingsDigest, nextAttemptAt }: Failed,
  isFallback: boolean,
): Attempts {
  const since = before.caFailingSince ?? at;
  const counted = { caFailingSince: since < at ? since : at, caFailures: (before.caFailures ?? 0) + 1 };
  const ofFirst = origin.startsWith("ca-") ? counted : { ...NO_CA, atCa: before.atCa };
  return {
    ...before,
    ...(isFallback ? {} : ofFirst),
    failures: Math.max(1, before.failures),
    startedAt: undefined,
    lastFailure: failureOf(origin),
    lastFailedAt: at,
    nextAttemptAt,
    settingsDigest,
    atCa: { ...before.atCa, [caOf(isFallback)]: { failedAt: at, origin } },
  };
}

function saidPeace(before: Attempts, shown: string): Attempts {
  const isShown = before.putBack === shown;
  if (!isShown && before.caFailingSince === undefined) return before;
  const over = isShown && { startedAt: undefined, ...(before.failures > 0 && FORGIVEN) };
  return { ...before, ...NO_CA, putBack: isShown ? undefined : before.putBack, ...over };
}

const FORGIVEN = { failures: 0, lastFailure: undefined, nextAttemptAt: undefined };

const moments = fc.date({ min: new Date("2026-01-01"), max: new Date("2027-01-01"), noInvalidDate: true });
const moment = moments.map((date) => date.toISOString());
const origin = fc.constantFrom<FailureOrigin>("here", "proof", "ca-refused", "ca-failing", "ca-unreachable");
const isFallback = fc.boolean();
const fingerprint = fc.constantFrom("AA", "BB");
const around = { at: moment, nextAttemptAt: moment, settingsDigest: fc.constantFrom("one", "one", "one", "two") };
const names = fc.constantFrom("a.test", "a.test,b.test");
const [isHasty, isDue] = [fc.boolean(), fc.constantFrom(false, false, true)];
const ca = fc.constantFrom(FIRST, FALLBACK);
const weighted = <One>(weight: number, arbitrary: fc.Arbitrary<One>) => ({ weight, arbitrary });
const happenings: fc.Arbitrary<Happening> = fc.oneof(
  weighted(6, fc.record({ ...around, kind: fc.constant("begun"), isFallback, names })),
  weighted(6, fc.record({ ...around, kind: fc.constant("failed"), origin })),
  weighted(1, fc.record({ ...around, kind: fc.constant("unprepared"), isFallback })),
  weighted(3, fc.record({ ...around, kind: fc.constant("issued"), isHasty, isDue })),
  weighted(6, fc.record({ ...around, kind: fc.constantFrom("put-back", "refused", "peace"), fingerprint })),
  weighted(1, fc.record({ ...around, kind: fc.constant("seen-down"), ca })),
);
const lives = fc
  .array(happenings, { maxLength: 40 })
  .map((all) => all.reduce(happen, { tries: [], said: { failures: 0 } }));

describe("what was tried", () => {
  test("is one try from its beginning to its end", () => {
    const about = { ca: FIRST, names: "a.test", settingsDigest: "one", failures: 1, failure: failureOf("X") };
    const begun = withOrderBegun([], { ...about, at: "2026-01-01T00:00:00.000Z" });
    expect(begun).toMatchObject([{ stage: "order", outcome: "begun" }]);
    const failed = { ...about, stage: "order", origin: "proof", at: "2026-01-01T00:00:01.000Z" } as const;
    expect(withOrderFailed(begun, failed)).toMatchObject([{ stage: "order", outcome: "failed" }]);
    const put = withPutBack([], "AA", "2026-01-01T00:00:00.000Z");
    expect(withRefusal(put, { at: "2026-01-01T00:00:01.000Z", fingerprint: "AA", failures: 1 })).toHaveLength(1);
  });

  test("comes to what was kept field by field, whatever happens, and is a dozen tries at most", () => {
    fc.assert(
      fc.property(lives, ({ tries, said }) => {
        expect(attemptsOf(tries)).toEqual(said);
        expect(tries.length).toBeLessThanOrEqual(12);
      }),
      { numRuns: 3000 },
    );
  });

  test("comes to the same when it is written and read, and when an older version has read and written it", () => {
    fc.assert(
      fc.property(lives, ({ tries, said }) => {
        const state = { schema: 1, tries, deploy: {} } as const;
        const { tries: _, ...older } = JSON.parse(JSON.stringify(stateToWrite(state))) as { tries: unknown };
        for (const written of [stateToWrite(state), older]) {
          const leftOut: string[] = [];
          expect(attemptsOf(parseState(JSON.stringify(written), leftOut).tries)).toEqual(said);
          expect(leftOut).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
