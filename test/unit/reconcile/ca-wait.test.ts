import { expect, test } from "vitest";
import { parseIdentifier, type WaitScope } from "../../../src/certificate/index.ts";
import { activeWait, LONGEST_WAIT_MS, withWait } from "../../../src/reconcile/issue/ca/wait.ts";
import { CaLedgers } from "../../../src/reconcile/issue/ca/ledger.ts";
import { freshLedger, type CaLedger } from "../../../src/reconcile/index.ts";
import { DAY, HOUR, PRODUCTION } from "../../support/reconcile-stage.ts";

const NOW = new Date("2026-06-01T00:00:00Z");
const at = (ms: number) => new Date(NOW.getTime() + ms);
const ACCOUNT: WaitScope = { kind: "account" };

type Asked = { readonly scope?: WaitScope; readonly names?: string; readonly forMs?: number; readonly askedAt?: Date };

/** The ledger with a request for patience, by default an hour's in answer to an order for `a.test`. */
function asked(ledger: CaLedger, { scope = ACCOUNT, names = "a.test", forMs = HOUR, askedAt = NOW }: Asked): CaLedger {
  const failure = { code: "TEST", message: "wait", remedy: "Wait." };
  const notBefore = new Date(askedAt.getTime() + forMs);
  return withWait(ledger, { scope, identifiers: identifiers(names), notBefore, failure }, askedAt);
}

const identifiers = (names: string) => names.split(",").map(parseIdentifier);
const heldUntil = (ledger: CaLedger, names: string, now = NOW) =>
  activeWait(ledger, { identifiers: identifiers(names) }, now)?.until;

test("of several requests for patience the one that asks for the most holds, in whatever order they came", () => {
  for (const lengths of [
    [HOUR, DAY],
    [DAY, HOUR],
  ]) {
    const ledger = lengths.reduce((known, forMs) => asked(known, { forMs }), freshLedger(PRODUCTION));
    expect(heldUntil(ledger, "a.test")).toBe(at(DAY).toISOString());
    expect(heldUntil(ledger, "a.test", at(DAY - 1))).toBe(at(DAY).toISOString());
    expect(heldUntil(ledger, "a.test", at(DAY))).toBeUndefined();
  }
});

test("what a clock that has been set back since wrote, or a hand, holds nothing up", () => {
  expect(heldUntil(asked(freshLedger(PRODUCTION), { askedAt: at(1) }), "a.test")).toBeUndefined();
  expect(heldUntil(asked(freshLedger(PRODUCTION), { forMs: LONGEST_WAIT_MS }), "a.test")).toBeUndefined();
  expect(heldUntil(asked(freshLedger(PRODUCTION), { forMs: LONGEST_WAIT_MS - 1 }), "a.test")).toBeDefined();
});

test.each<[string, WaitScope, readonly string[], readonly string[]]>([
  ["an account is for every order", ACCOUNT, ["a.test", "b.test"], []],
  ["a set of names is for that very set", { kind: "exact-set" }, ["a.test"], ["a.test,b.test", "b.test"]],
  [
    "names is for these and what is below them",
    { kind: "names", names: ["a.test"] },
    ["a.test", "b.test,www.a.test"],
    ["b.test", "aa.test"],
  ],
])("a request about %s", (_, scope, held, free) => {
  const ledger = asked(freshLedger(PRODUCTION), { scope });
  expect(held.filter((names) => heldUntil(ledger, names) === undefined)).toEqual([]);
  expect(free.filter((names) => heldUntil(ledger, names) !== undefined)).toEqual([]);
});

test("one more request leaves those in force, and forgets those that have passed", () => {
  const first = asked(freshLedger(PRODUCTION), { forMs: HOUR });
  expect(asked(first, { askedAt: at(HOUR - 1) }).holds).toHaveLength(2);
  expect(asked(first, { askedAt: at(HOUR) }).holds).toHaveLength(1);
});

test("a change of a ledger that can't be made or written leaves it as it was, for the changes that come after", async () => {
  const saved: CaLedger[] = [];
  let isFull = true;
  const ledgers = new CaLedgers({
    loadLedger: async (url) => saved.at(-1) ?? freshLedger(url),
    saveLedger: async (ledger) => {
      if (isFull) throw new Error("the disk is full");
      saved.push(ledger);
    },
  });
  const ask = (forMs: number) => ledgers.update(PRODUCTION, (ledger) => asked(ledger, { forMs }));
  await expect(ask(DAY)).rejects.toThrow("full");
  isFull = false;
  const refuse = () => {
    throw new Error("beyond a limit");
  };
  await expect(ledgers.update(PRODUCTION, refuse)).rejects.toThrow("beyond");
  await Promise.all([ask(HOUR), ask(2 * HOUR)]);
  const untils = (ledger: CaLedger | undefined) => ledger?.holds.map(({ until }) => until);
  expect(untils(saved.at(-1))).toEqual([at(HOUR), at(2 * HOUR)].map((date) => date.toISOString()));
  expect(await ledgers.read(PRODUCTION)).toEqual(saved.at(-1));
});
