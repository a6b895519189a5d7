import { describe, expect, test } from "vitest";
import { CaFailingError, ProblemError, RateLimitedError } from "../../../../src/acme/index.ts";
import { refusalOf } from "../../../../src/acme/failures/refusal.ts";

const NOW = new Date("2026-08-05T10:00:00Z");
const URL_ASKED = "https://acme-v02.api.letsencrypt.org/acme/new-order";
const DOCS = "see https://letsencrypt.org/docs/rate-limits/";

const ORDERED = ["www.example.com", "a.test", "b.test"].map((value) => ({ type: "dns" as const, value }));

type Refusal = {
  status?: number;
  type?: string;
  retryAfter?: string;
  subproblems?: unknown[];
  asked?: string;
  identifiers?: typeof ORDERED;
};

function refused(detail: string, more: Refusal = {}) {
  const {
    status = 429,
    type = "rateLimited",
    retryAfter,
    subproblems = [],
    asked = URL_ASKED,
    identifiers = ORDERED,
  } = more;
  const text = JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, status, subproblems });
  const request = { url: asked, doing: "place an order", identifiers };
  return refusalOf(request, { status, text, headers: { "retry-after": retryAfter } }, NOW);
}

describe("a rate limit's scope", () => {
  test.each([
    [`too many new orders (300) from this account in the last 3h0m0s: ${DOCS}#new-orders-per-account`, "account"],
    [`too many new registrations (10) from this IP address in the last 3h0m0s: ${DOCS}`, "account"],
    ["Service busy; retry later.", "account"],
    ["words that nobody has read yet", "account"],
    [
      `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s: ${DOCS}`,
      "exact-set",
    ],
    [`too many certificates: ${DOCS}#new-certificates-per-exact-set-of-hostnames`, "exact-set"],
    // An IPv6 network is no name that an order could be compared with.
    [`too many certificates (50) already issued for "2001:db8::/64" in the last 168h0m0s: ${DOCS}`, "account"],
    [`too many failed authorizations recently: ${DOCS}`, "account"],
  ])("%s holds for: %s", (detail, kind) => {
    expect(refused(detail, { retryAfter: "60" }).retry).toMatchObject({ scope: { kind } });
  });

  test.each([
    [
      `too many certificates (50) already issued for "Example.com" in the last 168h0m0s: ${DOCS}#new-certificates-per-registered-domain`,
      ["example.com"],
    ],
    [`too many failed authorizations (5) for "www.example.com" in the last 1h0m0s: ${DOCS}`, ["www.example.com"]],
  ])("%s holds for the name", (detail, names) => {
    const error = refused(detail, { retryAfter: "60" });
    expect(error.retry).toMatchObject({ scope: { kind: "names", names } });
    expect(error.message).toContain(`(it holds for orders with ${names[0]} or a name below)`);
  });

  test("is the names of the subproblems where each has one", () => {
    const of = (value: string) => ({ type: "x", detail: "too many", identifier: { type: "dns", value } });
    const both = refused("several", { retryAfter: "60", subproblems: [of("a.test"), of("b.test")] });
    expect(both.retry).toMatchObject({ scope: { kind: "names", names: ["a.test", "b.test"] } });
    const unnamed = refused("several", { retryAfter: "60", subproblems: [of("a.test"), { type: "x", detail: "y" }] });
    expect(unnamed.retry).toMatchObject({ scope: { kind: "account" } });
  });
});

describe("a rate limit that the CA puts on names", () => {
  const limited = (names: readonly string[], identifiers = ORDERED) => {
    const subproblems = names.map((value) => ({ type: "x", detail: "", identifier: { type: "dns", value } }));
    return refused("several", { retryAfter: "60", subproblems, identifiers });
  };

  test.each([["c.test"], ["a.test", "c.test"], ["sub.a.test"], ["xample.com"]])(
    "holds for the account where one was not ordered: %s",
    (...names) => {
      expect(limited(names).retry).toMatchObject({ scope: { kind: "account" } });
    },
  );

  test("holds for the account outside of orders", () => {
    expect(limited(["a.test"], []).retry).toMatchObject({ scope: { kind: "account" } });
    const words = `too many certificates (5) already issued for this exact set of identifiers: ${DOCS}`;
    expect(refused(words, { retryAfter: "60", identifiers: [] }).retry).toMatchObject({ scope: { kind: "account" } });
  });

  test("is told in few words and kept without repeats, however long the CA's list", () => {
    const identifiers = Array.from({ length: 100 }, (_, index) => ({ type: "dns" as const, value: `n${index}.test` }));
    const names = identifiers.map(({ value }) => value);
    const error = limited(Array.from({ length: 150 }, () => names).flat(), identifiers);
    expect(error.retry).toMatchObject({ scope: { kind: "names", names } });
    expect(error.message).toContain(
      "(it holds for orders with n0.test, n1.test, n2.test, n3.test, n4.test and 95 more,",
    );
    expect(error.message.length).toBeLessThan(5000);
  });
});

describe("the time of a rate limit", () => {
  test.each([
    ["the header", "no time here", "90", "2026-08-05T10:01:30.000Z"],
    ["the text", "too many, retry after 2026-08-05 10:18:15 UTC: see", undefined, "2026-08-05T10:18:15.000Z"],
    ["an older text", "Retry after 2026-08-05T12:00:00Z: see", undefined, "2026-08-05T12:00:00.000Z"],
    ["a duration printed as a date", "retry after 1970-01-01 00:18:15 UTC", undefined, "2026-08-05T10:18:15.000Z"],
    ["a duration after Go's zero time", "retry after 0001-01-02 00:00:01 UTC", undefined, "2026-08-06T10:00:01.000Z"],
    ["a duration of days", "retry after 1970-01-07 01:00:00 UTC", undefined, "2026-08-11T11:00:00.000Z"],
    ["the header before the text", "retry after 2026-08-09 10:00:00 UTC", "60", "2026-08-05T10:01:00.000Z"],
    ["at most 31 days", "retry after 2036-08-05 10:00:00 UTC", undefined, "2026-09-05T10:00:00.000Z"],
  ])("comes from %s", (_from, detail, retryAfter, until) => {
    const error = refused(detail, retryAfter === undefined ? {} : { retryAfter });
    expect(error.retry).toMatchObject({ notBefore: new Date(until) });
    expect(error.message).toContain(`until ${until}`);
  });

  test.each(["too many", "retry after lunch", "retry after 2026-13-45 99:00:00 UTC"])("isn't found in %j", (detail) => {
    expect(refused(detail).retry).toBe("next-run");
  });

  test("on 503 holds for the whole account: the CA is busy", () => {
    const words = 'too many certificates (5) already issued for "a.test"';
    const error = refused(words, { status: 503, type: "serverInternal", retryAfter: "60" });
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(error.retry).toMatchObject({ scope: { kind: "account" } });
    expect(error.origin).toBe("ca-failing");
  });
});

describe("a paused account", () => {
  const LINK = "https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def-g_h.i";
  const words = (link: string) =>
    "Your account is temporarily prevented from requesting certificates for a.test, b.test and possibly others. " +
    `Please visit: ${link}`;

  test.each([
    [429, "rateLimited"],
    [403, "unauthorized"],
    [403, "userActionRequired"],
  ])("is told with the CA's own link, at %i %s, and left to the back-off", (status, type) => {
    const error = refused(words(LINK), { status, type });
    expect(error).toMatchObject({ code: "ACME_ACCOUNT_PAUSED", retry: "next-run", origin: "ca-refused" });
    expect(error.remedy).toContain(`open ${LINK} to end`);
    expect(error.message).toContain("for a.test, b.test and possibly others");
  });

  test("is held for its names where the CA says for how long", () => {
    const { retry } = refused(words(LINK), { retryAfter: "60" });
    expect(retry).toMatchObject({ scope: { kind: "names", names: ["a.test", "b.test"] } });
  });

  test.each([
    ["of another host", "https://portal.evil.test/sfe/v1/unpause?jwt=x"],
    ["of a host that only begins so", "https://letsencrypt.org.evil.test/sfe/v1/unpause?jwt=x"],
    ["of a host that only ends so", "https://evilletsencrypt.org/sfe/v1/unpause?jwt=x"],
    ["over plain http", "http://portal.letsencrypt.org/sfe/v1/unpause?jwt=x"],
    ["with another host in disguise", "https://portal.letsencrypt.org@evil.test/sfe/v1/unpause?jwt=x"],
  ])("is not sent to a link %s", (_which, link) => {
    const error = refused(words(link));
    expect(error.code).toBe("ACME_ACCOUNT_PAUSED");
    expect(error.remedy).not.toContain(link);
    expect(error.remedy).toContain(new URL(link).host);
  });

  test("of another CA may be ended at the host that we talk to", () => {
    const link = "https://acme.example.net/sfe/v1/unpause?jwt=x";
    expect(refused(words(link), { asked: "https://acme.example.net/new-order" }).remedy).toContain(link);
  });
});

describe("where a refusal comes from", () => {
  test.each([
    [403, "rejectedIdentifier", ProblemError, "ca-refused"],
    [403, "unauthorized", ProblemError, "ca-refused"],
    [400, "badNonce", ProblemError, "ca-failing"],
    [403, "orderNotReady", ProblemError, "ca-failing"],
    [429, "rateLimited", RateLimitedError, "ca-refused"],
  ])("%i %s", (status, type, kind, origin) => {
    const error = refused("words", { status, type });
    expect(error).toBeInstanceOf(kind);
    expect(error.origin).toBe(origin);
  });

  test("500 is the CA's failure", () => {
    expect(refused("words", { status: 500, type: "serverInternal" })).toBeInstanceOf(CaFailingError);
  });
});
