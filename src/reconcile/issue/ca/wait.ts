import { exactSetKey, type Failure, type HoldScope, type Identifier } from "../../../certificate/index.ts";
import type { CaHold, CaLedger } from "./ledger.ts";

/** No back-off and no request of a CA that we obey is longer, in milliseconds: what is, was edited by hand. */
export const LONGEST_WAIT_MS = 32 * 24 * 3600 * 1000;

/** The CA's request for patience that keeps an order for these names back the longest; undefined where none does. */
export function activeHold(ledger: CaLedger, identifiers: readonly Identifier[], now: Date): CaHold | undefined {
  return ledger.holds
    .filter((hold) => isActive(hold, now) && concerns(hold, identifiers))
    .reduce<CaHold | undefined>((a, b) => (a && a.until > b.until ? a : b), undefined);
}

/** The ledger with one more request for patience, without those that have passed. */
export function withHold(ledger: CaLedger, asked: Asked, now: Date): CaLedger {
  const { scope, identifiers, notBefore, failure } = asked;
  const kept = scope.kind === "exact-set" ? { kind: scope.kind, names: exactSetKey(identifiers) } : scope;
  const hold: CaHold = { scope: kept, askedAt: now.toISOString(), until: notBefore.toISOString(), failure };
  return { ...ledger, holds: [...ledger.holds.filter((one) => isActive(one, now)), hold] };
}

/** What a CA asked for in answer to an order for `identifiers`. */
export type Asked = {
  readonly scope: HoldScope;
  readonly identifiers: readonly Identifier[];
  readonly notBefore: Date;
  readonly failure: Failure;
};

// What was asked in the future was written by a clock that has been set back since: nobody knows how long it holds.
function isActive(hold: CaHold, now: Date): boolean {
  const [askedAt, until] = [new Date(hold.askedAt), new Date(hold.until)];
  return askedAt <= now && now < until && until.getTime() - askedAt.getTime() < LONGEST_WAIT_MS;
}

function concerns({ scope }: CaHold, identifiers: readonly Identifier[]): boolean {
  switch (scope.kind) {
    case "account":
      return true;
    case "exact-set":
      return exactSetKey(identifiers) === scope.names;
    case "names":
      return identifiers.some(({ value }) => scope.names.some((name) => value === name || value.endsWith(`.${name}`)));
  }
}
