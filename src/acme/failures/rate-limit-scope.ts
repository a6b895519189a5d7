import type { WaitScope, Identifier } from "../../certificate/index.ts";
import type { Problem } from "./problem.ts";

/** What a limit holds for whose words nobody knows: knocking with other names would be counted there. */
export const ACCOUNT: WaitScope = { kind: "account" };

/**
 * What a CA's limit holds for, by its words: the documentation's heading that it links, or what it counts. Names that are not
 * `ordered`, nor above one that is, say nothing of this order: then it holds for the whole account, as outside of orders.
 */
export function rateLimitScope(problem: Problem, ordered: readonly Identifier[]): WaitScope {
  if (ordered.length > 0 && EXACT_SET.test(problem.detail)) return { kind: "exact-set" };
  const names = [...new Set(limitedNames(problem))];
  const isOrdered = names.every((name) => ordered.some(({ value }) => value === name || value.endsWith(`.${name}`)));
  return names.length > 0 && isOrdered ? { kind: "names", names } : ACCOUNT;
}

const MOST_NAMED = 5;

/** What a scope holds for, in words that finish "it holds for …". */
export function scopeWords(scope: WaitScope): string {
  switch (scope.kind) {
    case "account":
      return "every order of this account";
    case "exact-set":
      return "orders for exactly these names";
    case "names": {
      const others = scope.names.length - MOST_NAMED;
      const named = scope.names.slice(0, MOST_NAMED).join(", ");
      return `orders with ${named}${others > 0 ? ` and ${others} more,` : ""} or a name below`;
    }
  }
}

const EXACT_SET = /#new-certificates-per-exact-set|exact set of (?:identifiers|domains|hostnames)/i;

const NAMES =
  /#new-certificates-per-registered-domain|#(?:consecutive-)?authorization-failures-per|already issued for|failed authorizations \(/i;

// A limit on a whole IPv6 network ("2001:db8::/64") has no name that an order could be compared with.
const NAME = /^[a-z0-9*][a-z0-9.:_-]*$/;

function limitedNames({ detail, subproblems }: Problem): readonly string[] {
  const told = knownNames(NAMES.test(detail) ? quotedNames(detail) : pausedNames(detail));
  return told.length > 0 ? told : knownNames(subproblems.map(({ identifier = "" }) => identifier));
}

function knownNames(texts: readonly string[]): readonly string[] {
  const names = texts.map((text) => text.toLowerCase());
  return names.every((name) => NAME.test(name)) ? names : [];
}

function quotedNames(detail: string): readonly string[] {
  return [...detail.matchAll(/\bfor:? "([^"\s]{1,253})"/g)].map(([, name = ""]) => name);
}

// An account is paused for names; that they may not be all doesn't keep the others from trying once.
function pausedNames(detail: string): readonly string[] {
  const [, list = ""] = /requesting certificates for (\S+(?:, \S+)*) and possibly others/.exec(detail) ?? [];
  return list.split(", ");
}
