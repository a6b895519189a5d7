import type { CaLimits, Limit } from "./ca-limits.ts";
import { identifierKey, type Identifier } from "./identifier.ts";

/** What was spent at one CA, as it is kept on disk. Instants are ISO strings. */
export type Spending = {
  readonly orders: readonly SpentOrder[];
  readonly failedValidations: readonly FailedValidation[];
};

/** An order that was placed. */
export type SpentOrder = {
  readonly at: string;
  /** See {@link exactSetKey}. */
  readonly names: string;
  /** The CA counts it against no limit: it renewed a certificate at the moment that the CA had suggested (RFC 9773 §5). */
  readonly isExempt: boolean;
  /** It came as far as its CSR, so the CA may have signed: only then it counts as a certificate. */
  readonly isIssued: boolean;
};

/** A name that the CA could not verify. */
export type FailedValidation = { readonly at: string; readonly name: string };

/** An order that is about to be placed. */
export type IntendedOrder = { readonly identifiers: readonly Identifier[]; readonly isExempt: boolean };

/** Whether an order is within the limits, and if not, which one forbids it until when. */
export type BudgetPlan =
  { readonly kind: "within" } | { readonly kind: "exceeded"; readonly until: Date; readonly limit: string };

/** One string for a set of names, whatever their order. */
export function exactSetKey(identifiers: readonly Identifier[]): string {
  return [...new Set(identifiers.map(identifierKey))].sort().join(",");
}

/**
 * Decides whether an order keeps to the limits of the CA after what has been spent there. What was spent beyond a limit all the
 * same empties it, and no more: a CA that has refused counts nothing.
 */
export function planBudget(limits: CaLimits, spending: Spending, order: IntendedOrder, now: Date): BudgetPlan {
  if (order.isExempt) return { kind: "within" };
  const counted = spending.orders.filter(({ isExempt }) => !isExempt);
  const names = exactSetKey(order.identifiers);
  const uses: readonly Use[] = [
    { limit: limits.orders, spent: counted },
    { limit: limits.exactSet, spent: counted.filter((one) => one.isIssued && one.names === names) },
    ...order.identifiers.map((identifier) => {
      const spent = spending.failedValidations.filter(({ name }) => name === identifierKey(identifier));
      return { limit: limits.failedValidations, spent };
    }),
  ];
  const exceeded = uses.flatMap(({ limit, spent }) => {
    const until = possibleAt(limit, spent, now);
    return until > now ? [{ kind: "exceeded" as const, until, limit: limit.words }] : [];
  });
  return exceeded.sort((a, b) => b.until.getTime() - a.until.getTime())[0] ?? { kind: "within" };
}

/**
 * The spending that can still matter from `now` on; no decision is another without the rest. What is younger than its limit is
 * kept in any case: an order under way may still become one that counts.
 */
export function pruneSpending(limits: CaLimits, spending: Spending, now: Date): Spending {
  const { orders, failedValidations } = spending;
  const sets = [...Map.groupBy(orders, ({ names }) => names).values()];
  const names = [...Map.groupBy(failedValidations, ({ name }) => name).values()];
  const kept = new Set([
    ...remembered(limits.orders, orders, now),
    ...sets.flatMap((same) => remembered(limits.exactSet, same, now)),
    ...names.flatMap((same) => remembered(limits.failedValidations, same, now)),
  ]);
  return {
    orders: orders.filter((one) => kept.has(one)),
    failedValidations: failedValidations.filter((one) => kept.has(one)),
  };
}

type Spent = { readonly at: string };
type Use = { readonly limit: Limit; readonly spent: readonly Spent[] };

function possibleAt(limit: Limit, spent: readonly Spent[], now: Date): Date {
  const { fullAt } = replay(limit, spent, now);
  return new Date(Math.max(now.getTime(), fullAt - (limit.most - 1) * limit.refillMs));
}

function remembered(limit: Limit, spent: readonly Spent[], now: Date): readonly Spent[] {
  const { fullAt, sinceFull } = replay(limit, spent, now);
  const isFelt = fullAt > now.getTime();
  const isYoung = ({ at }: Spent) => Math.abs(now.getTime() - Date.parse(at)) < memoryMs(limit);
  return spent.filter((one) => isYoung(one) || (isFelt && sinceFull.has(one)));
}

type Level = {
  /** When the limit is whole again, if nothing more is spent. */
  readonly fullAt: number;
  /** All that was spent since it was whole last: as long as that goes on, age alone makes nothing forgettable. */
  readonly sinceFull: ReadonlySet<Spent>;
};

// The token bucket, by the instant at which it is full again: each use moves that on by one refill, but not beyond an empty bucket.
function replay(limit: Limit, spent: readonly Spent[], now: Date): Level {
  const uses = spent.flatMap((one) => {
    const at = spentAt(one, limit, now);
    return at === undefined ? [] : [{ one, at }];
  });
  let fullAt = Number.NEGATIVE_INFINITY;
  const sinceFull = new Set<Spent>();
  for (const { one, at } of uses.sort((a, b) => a.at - b.at)) {
    if (fullAt <= at) sinceFull.clear();
    sinceFull.add(one);
    fullAt = Math.min(Math.max(fullAt, at) + limit.refillMs, at + memoryMs(limit));
  }
  return { fullAt, sinceFull };
}

// What lies ahead was written by a clock that has been set back since: it counts as spent now. But what lies further ahead than
// the limit remembers would do so for ever, and what can't be read says nothing: those don't count, and the CA's own word does.
function spentAt({ at }: Spent, limit: Limit, now: Date): number | undefined {
  const atMs = Date.parse(at);
  const isSensible = atMs - now.getTime() < memoryMs(limit);
  return isSensible ? Math.min(atMs, now.getTime()) : undefined;
}

// From an empty bucket to a full one.
function memoryMs({ most, refillMs }: Limit): number {
  return most * refillMs;
}
