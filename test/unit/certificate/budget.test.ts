import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  exactSetKey,
  identifierKey,
  limitsOf,
  parseIdentifier,
  planBudget,
  pruneSpending,
  type BudgetPlan,
  type CaLimits,
  type Identifier,
  type Limit,
  type SpentOrder,
  type Spending,
} from "../../../src/certificate/index.ts";
import { at, DAY_MS, HOUR_MS, MINUTE_MS, spans, YEAR_MS } from "./arbitraries.ts";
import { LimitedCa } from "./limited-ca.ts";

const NOTHING: Spending = { orders: [], failedValidations: [] };
const LETS_ENCRYPT = limitsOf("https://acme-v02.api.letsencrypt.org/directory") ?? fail();
const names = (...typed: string[]) => typed.map(parseIdentifier);
const SHOP = names("shop.test", "www.shop.test");
const REFILL_MS = LETS_ENCRYPT.exactSet.refillMs;

function fail(): never {
  throw new Error("Let's Encrypt is not in the table");
}

const issued = (instants: readonly Date[], identifiers = SHOP): SpentOrder[] =>
  instants.map((at) => ({ at: at.toISOString(), names: exactSetKey(identifiers), isExempt: false, isIssued: true }));
const issuedOnce = { at: at(0).toISOString(), names: exactSetKey(SHOP), isExempt: false, isIssued: true };
const plan = (spending: Partial<Spending>, now: Date, identifiers = SHOP) =>
  planBudget(LETS_ENCRYPT, { ...NOTHING, ...spending }, { identifiers, isExempt: false }, now);

const limit: fc.Arbitrary<Limit> = fc.record({
  most: fc.integer({ min: 1, max: 6 }),
  refillMs: spans(MINUTE_MS, 2 * DAY_MS),
  words: fc.constant("so many"),
});
const limits: fc.Arbitrary<CaLimits> = fc.record({ orders: limit, exactSet: limit, failedValidations: limit });
const SETS = [names("a.test"), names("b.test"), names("a.test", "b.test")];

type Step = {
  /** Before the order; undefined: as long as the plan asks for. */
  readonly pauseMs: number | undefined;
  readonly identifiers: readonly Identifier[];
  readonly isExempt: boolean;
  readonly hasFailed: boolean;
  /** The certificate is about to lapse: the order goes out all the same. */
  readonly isOverridden: boolean;
};
const sometimes = fc.nat(9).map((one) => one === 0);
const step: fc.Arbitrary<Step> = fc.record({
  // Often nothing at all has gone by, and often just as much as a limit asks for.
  pauseMs: fc.oneof(fc.constant(0), spans(1, 3 * DAY_MS), fc.constant(undefined)),
  identifiers: fc.constantFrom(...SETS),
  isExempt: sometimes,
  hasFailed: fc.boolean(),
  isOverridden: sometimes,
});
const steps = fc.array(step, { minLength: 1, maxLength: 60 });

const intended = ({ identifiers }: Pick<Step, "identifiers">) => ({ identifiers, isExempt: false });
const possibleAt = (plan: BudgetPlan, now: Date) => (plan.kind === "exceeded" ? plan.until : now);

function spend(spending: Spending, { identifiers, isExempt, hasFailed }: Step, now: Date): Spending {
  const at = now.toISOString();
  const order = { at, names: exactSetKey(identifiers), isExempt, isIssued: !hasFailed };
  const failed = hasFailed ? identifiers.map((one) => ({ at, name: identifierKey(one) })) : [];
  return {
    orders: [...spending.orders, order],
    failedValidations: [...spending.failedValidations, ...failed],
  };
}

function spendAtCa(ca: LimitedCa, { identifiers, isExempt, hasFailed }: Step, now: Date): void {
  if (!isExempt) ca.order(now);
  if (!isExempt && !hasFailed) ca.issue(identifiers, now);
  if (hasFailed) for (const one of identifiers) ca.fail(one, now);
}

describe("against a CA that keeps its limits as token buckets", () => {
  test("what the plan allows the CA allows, and at the instant that it names the CA does, whatever was spent", () => {
    fc.assert(
      fc.property(limits, steps, (limits, steps) => {
        const ca = new LimitedCa(limits);
        let [spending, now] = [NOTHING, at(0)];
        for (const step of steps) {
          const endOfPause = possibleAt(planBudget(limits, spending, step, now), now);
          now = step.pauseMs === undefined ? endOfPause : new Date(now.getTime() + step.pauseMs);
          const plan = planBudget(limits, spending, intended(step), now);
          expect(possibleAt(plan, now).getTime()).toBeGreaterThanOrEqual(now.getTime());
          expect(ca.takes(step.identifiers, possibleAt(plan, now))).toBe(true);
          if (plan.kind === "exceeded" && !step.isOverridden && !step.isExempt) continue;
          spendAtCa(ca, step, now);
          spending = spend(spending, step, now);
        }
      }),
    );
  });

  test("as long as all goes by plan, no order is kept back that the CA would take, not by a millisecond", () => {
    const planned = fc.array(
      step.map((one) => ({ ...one, isExempt: false })),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(limits, planned, (limits, steps) => {
        const ca = new LimitedCa(limits);
        let [spending, now] = [NOTHING, at(0)];
        for (const step of steps) {
          now = new Date(now.getTime() + (step.pauseMs ?? 0));
          const plan = planBudget(limits, spending, step, now);
          expect(ca.takes(step.identifiers, now)).toBe(plan.kind === "within");
          const soonest = possibleAt(plan, now).getTime();
          expect(plan.kind === "exceeded" && ca.takes(step.identifiers, new Date(soonest - 1))).toBe(false);
          if (plan.kind === "exceeded") continue;
          spendAtCa(ca, step, now);
          spending = spend(spending, step, now);
        }
      }),
    );
  });

  test("what is forgotten changes no decision, then or later", () => {
    fc.assert(
      fc.property(limits, steps, (limits, steps) => {
        let [whole, pruned, now] = [NOTHING, NOTHING, at(0)];
        for (const step of steps) {
          const endOfPause = possibleAt(planBudget(limits, whole, step, now), now);
          now = step.pauseMs === undefined ? endOfPause : new Date(now.getTime() + step.pauseMs);
          pruned = pruneSpending(limits, pruned, now);
          const plans = (spending: Spending) =>
            SETS.map((identifiers) => planBudget(limits, spending, intended({ identifiers }), now));
          expect(plans(pruned)).toEqual(plans(whole));
          if (planBudget(limits, whole, step, now).kind === "exceeded" && !step.isOverridden) continue;
          whole = spend(whole, step, now);
          pruned = spend(pruned, step, now);
        }
      }),
    );
  });
});

describe("at Let's Encrypt", () => {
  test("the sixth certificate for the same names waits until 33.6 hours after the first, and other names don't", () => {
    const orders = issued([0, 1, 2, 3, 4].map((minute) => at(minute * MINUTE_MS)));
    const refused = plan({ orders }, at(HOUR_MS));
    expect(refused).toEqual({ kind: "exceeded", until: at(REFILL_MS), limit: LETS_ENCRYPT.exactSet.words });
    expect(plan({ orders }, at(REFILL_MS - 1)).kind).toBe("exceeded");
    expect(plan({ orders }, at(REFILL_MS)).kind).toBe("within");
    expect(plan({ orders }, at(HOUR_MS), SHOP.toReversed()).kind).toBe("exceeded");
    expect(plan({ orders }, at(HOUR_MS), names("shop.test")).kind).toBe("within");
  });

  test("orders that brought no certificate don't count as certificates", () => {
    const orders = issued([0, 1, 2, 3, 4, 5].map((minute) => at(minute * MINUTE_MS)));
    expect(plan({ orders: orders.map((one) => ({ ...one, isIssued: false })) }, at(HOUR_MS)).kind).toBe("within");
  });

  test("a name that failed five times waits twelve minutes from the first time on, and takes its companions with it", () => {
    const failedValidations = Array.from({ length: 5 }, () => ({ at: at(0).toISOString(), name: "www.shop.test" }));
    const refused = plan({ failedValidations }, at(0));
    expect(refused).toEqual({
      kind: "exceeded",
      until: at(12 * MINUTE_MS),
      limit: LETS_ENCRYPT.failedValidations.words,
    });
    expect(plan({ failedValidations }, at(0), names("shop.test")).kind).toBe("within");
  });

  test("three hundred orders at once are possible, and the next one after 36 seconds", () => {
    const orders = Array.from({ length: 300 }, (_, index) => issued([at(0)], names(`${index}.test`))).flat();
    expect(plan({ orders: orders.slice(1) }, at(0)).kind).toBe("within");
    expect(plan({ orders }, at(0))).toMatchObject({ kind: "exceeded", until: at(36_000) });
  });

  test("the limit that holds longest is the one that is named", () => {
    const failedValidations = Array.from({ length: 5 }, () => ({ at: at(0).toISOString(), name: "shop.test" }));
    const orders = issued(Array.from({ length: 5 }, () => at(0)));
    expect(plan({ orders, failedValidations }, at(0))).toMatchObject({ limit: LETS_ENCRYPT.exactSet.words });
  });

  test("a renewal that the CA suggested goes out whatever was spent, and counts for nobody", () => {
    const orders = issued(Array.from({ length: 9 }, () => at(0)));
    const order = { identifiers: SHOP, isExempt: true };
    expect(planBudget(LETS_ENCRYPT, { ...NOTHING, orders }, order, at(0)).kind).toBe("within");
    expect(plan({ orders: orders.map((one) => ({ ...one, isExempt: true })) }, at(0)).kind).toBe("within");
  });

  test("a hundred orders beyond the limit, as when a certificate was about to lapse, block no longer than an empty bucket", () => {
    const orders = issued(Array.from({ length: 100 }, () => at(0)));
    expect(plan({ orders }, at(0))).toMatchObject({ until: at(REFILL_MS) });
    expect(plan({ orders }, at(REFILL_MS)).kind).toBe("within");
  });
});

describe("a ledger that makes no sense", () => {
  test("isn't switched off by one instant that can't be read", () => {
    const orders = [...issued(Array.from({ length: 5 }, () => at(0))), { ...issuedOnce, at: "yesterday" }];
    expect(plan({ orders }, at(0))).toMatchObject({ until: at(REFILL_MS) });
    expect(pruneSpending(LETS_ENCRYPT, { ...NOTHING, orders }, at(0)).orders).toHaveLength(5);
  });

  test("means the same in any order", () => {
    const orders = issued([0, 40, 80, 81, 82, 83, 83].map((hours) => at(hours * HOUR_MS)));
    const refused = plan({ orders }, at(84 * HOUR_MS));
    expect(refused.kind).toBe("exceeded");
    expect(plan({ orders: orders.toReversed() }, at(84 * HOUR_MS))).toEqual(refused);
  });

  test("counts orders as new while the clock is an hour behind, and lets go when it has caught up", () => {
    const orders = issued(Array.from({ length: 5 }, () => at(HOUR_MS)));
    expect(plan({ orders }, at(0))).toMatchObject({ kind: "exceeded", until: at(REFILL_MS) });
    expect(plan({ orders }, at(HOUR_MS + REFILL_MS)).kind).toBe("within");
  });

  test("doesn't stop renewals for years because the clock was years ahead once", () => {
    const orders = issued(Array.from({ length: 5 }, () => at(9 * YEAR_MS)));
    const failedValidations = Array.from({ length: 5 }, () => ({ at: at(DAY_MS).toISOString(), name: "shop.test" }));
    expect(plan({ orders, failedValidations }, at(0)).kind).toBe("within");
    expect(pruneSpending(LETS_ENCRYPT, { orders, failedValidations }, at(0))).toEqual(NOTHING);
  });
});

test("what is old is forgotten, and an order that may be under way is not, even where a limit is whole again in seconds", () => {
  const staging = limitsOf("https://acme-staging-v02.api.letsencrypt.org/directory") ?? fail();
  const underWay = { ...issuedOnce, at: at(-5 * MINUTE_MS).toISOString(), isExempt: true, isIssued: false };
  const orders = [...issued([at(-8 * DAY_MS)]), underWay];
  const failedValidations = [{ at: at(-2 * HOUR_MS).toISOString(), name: "shop.test" }];
  expect(pruneSpending(staging, { orders, failedValidations }, at(0))).toEqual({
    orders: [underWay],
    failedValidations: [],
  });
});

test("the limits are found by the CA's directory however it is typed, and only by that", () => {
  expect(limitsOf("HTTPS://acme-v02.api.LetsEncrypt.org:443/directory")).toBe(LETS_ENCRYPT);
  expect(limitsOf("https://acme-staging-v02.api.letsencrypt.org/directory")?.failedValidations.most).toBe(200);
  expect(["https://ca.test/directory", "constructor", ""].map(limitsOf)).toEqual([undefined, undefined, undefined]);
});
