import {
  asOperatorError,
  exactSetKey,
  toFailure,
  type Failure,
  type WaitScope,
  type Identifier,
} from "../../../certificate/index.ts";
import type { CaWait, CaLedger } from "./ledger.ts";

/** No back-off and no request of a CA that we obey is longer, in milliseconds: what is, was edited by hand. */
export const LONGEST_WAIT_MS = 32 * 24 * 3600 * 1000;

/** An order that is to go out: its names, and the settings where our own decisions may hold it up. */
export type Waiter = { readonly identifiers: readonly Identifier[]; readonly settingsDigest?: string | undefined };

/** The wait that keeps an order back the longest; undefined where none does. */
export function activeWait(ledger: CaLedger, { identifiers, settingsDigest }: Waiter, now: Date): CaWait | undefined {
  return ledger.holds
    .filter((wait) => wait.settingsDigest === undefined || wait.settingsDigest === settingsDigest)
    .filter((wait) => isActive(wait, now) && concerns(wait, identifiers))
    .reduce<CaWait | undefined>((a, b) => (a && a.until > b.until ? a : b), undefined);
}

/** Our own decision to leave the CA alone, which was made with these settings; undefined where there is none. */
export function ownWait({ holds }: CaLedger, settingsDigest: string, now: Date): CaWait | undefined {
  return holds.find((wait) => wait.settingsDigest === settingsDigest && isActive(wait, now));
}

/** The ledger with what was thrown at an order, where it asks for patience. */
export function withPatience(
  ledger: CaLedger,
  { identifiers, settingsDigest }: Required<Waiter>,
  { thrown, now }: { readonly thrown: unknown; readonly now: Date },
): CaLedger {
  const { retry } = asOperatorError(thrown);
  if (typeof retry !== "object") return ledger;
  const { notBefore, scope = { kind: "account" }, isOurs } = retry;
  const asked = { scope, identifiers, notBefore, failure: toFailure(thrown) };
  return withWait(ledger, { ...asked, settingsDigest: isOurs ? settingsDigest : undefined }, now);
}

/** The ledger with one more request for patience, without those that have passed. */
export function withWait(ledger: CaLedger, asked: Asked, now: Date): CaLedger {
  const { scope, identifiers, notBefore, failure, settingsDigest } = asked;
  const kept = scope.kind === "exact-set" ? { kind: scope.kind, names: exactSetKey(identifiers) } : scope;
  const wait: CaWait = {
    scope: kept,
    askedAt: now.toISOString(),
    until: notBefore.toISOString(),
    failure,
    settingsDigest,
  };
  return { ...ledger, holds: [...ledger.holds.filter((one) => isActive(one, now)), wait] };
}

/** What a CA asked for in answer to an order for `identifiers`; with a `settingsDigest` it is what we decided then. */
export type Asked = Waiter & {
  readonly scope: WaitScope;
  readonly notBefore: Date;
  readonly failure: Failure;
};

// What was asked in the future was written by a clock that has been set back since: nobody knows how long it holds.
function isActive(wait: CaWait, now: Date): boolean {
  const [askedAt, until] = [new Date(wait.askedAt), new Date(wait.until)];
  return askedAt <= now && now < until && until.getTime() - askedAt.getTime() < LONGEST_WAIT_MS;
}

function concerns({ scope }: CaWait, identifiers: readonly Identifier[]): boolean {
  switch (scope.kind) {
    case "account":
      return true;
    case "exact-set":
      return exactSetKey(identifiers) === scope.names;
    case "names":
      return identifiers.some(({ value }) => scope.names.some((name) => value === name || value.endsWith(`.${name}`)));
  }
}
