import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { happyEnd, runOrder, scriptedOrder } from "../../support/scripted-order.ts";

const REPLACES = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => {
  server.forget();
  server.answerUnsigned(() => undefined);
  server.offer({ renewalInfo: "renewal-info", meta: { profiles: { classic: "90 days", shortlived: "6 days" } } });
});
afterAll(() => server.stop());

/** What was sent in newOrder, beside the names. */
const asked = () =>
  server
    .posts()
    .filter(({ path }) => path === "/newOrder")
    .map(({ payload }) => {
      const { identifiers: _names, ...extras } = payload as Record<string, unknown>;
      return extras;
    });

const directoryRequests = () => server.requests.filter(({ path }) => path === "/directory");

/** A CA that gives these answers to newOrder first, and then an order with these fields, which comes to a good end. */
const refusing = (refusals: readonly ScriptedAnswer[], fields: object = {}) => {
  const end = happyEnd(server, server.caPem, fields);
  return { ...end, "/newOrder": [...refusals, scriptedOrder(server, "ready", { fields })] };
};

describe("an order that renews a certificate", () => {
  test("says which one, and counts as a renewal when the CA shows it", async () => {
    const { issued } = await runOrder(server, refusing([], { replaces: REPLACES }), { replaces: REPLACES });
    expect(asked()).toEqual([{ replaces: REPLACES }]);
    expect(issued?.isReplacement).toBe(true);
  });

  test("doesn't count as a renewal at a CA that says nothing of it", async () => {
    const { issued } = await runOrder(server, refusing([]), { replaces: REPLACES });
    expect(issued?.isReplacement).toBe(false);
  });

  test("doesn't say which one to a CA without renewal information", async () => {
    server.offer({});
    const { issued } = await runOrder(server, refusing([]), { replaces: REPLACES });
    expect(asked()).toEqual([{}]);
    expect(issued?.isReplacement).toBe(false);
  });

  test.each([
    [409, "alreadyReplaced"],
    [404, "malformed"],
    [403, "unauthorized"],
    [409, "conflict"],
    [400, "serverInternal"],
    // Words of their own.
    [400, "invalidReplaces"],
    [422, "replacesNotFound"],
  ])("is placed once more without it after %i %s, and that is told", async (status, type) => {
    const refusal = problemAnswer(status, type, "not that one");
    const { issued, lines } = await runOrder(server, refusing([refusal]), { replaces: REPLACES });
    expect(asked()).toEqual([{ replaces: REPLACES }, {}]);
    expect(issued?.isReplacement).toBe(false);
    const told = lines.find(({ event }) => event === "replacement.refused");
    expect(told).toMatchObject({ level: "warn", fields: { lineage: "a.test" } });
    expect(told?.fields["reason"]).toContain("not that one");
  });

  test("is placed once more without it after 500 has come back three times, not more often", async () => {
    const failure: ScriptedAnswer = { status: 500, body: "unknown predecessor" };
    const ca = refusing([failure, failure, failure]);
    const { issued, clock } = await runOrder(server, ca, { replaces: REPLACES });
    const wish = { replaces: REPLACES };
    expect(asked()).toEqual([wish, wish, wish, {}]);
    expect(issued?.isReplacement).toBe(false);
    expect(clock.slept).toEqual([250, 1000]);
  });

  test("ends in six requests at a CA that fails with 500 whatever it is asked, and says nothing of renewals", async () => {
    const { outcome, lines } = await runOrder(
      server,
      { "/newOrder": [{ status: 500, body: "" }] },
      { replaces: REPLACES },
    );
    expect(outcome).toMatchObject({ code: "ACME_CA_FAILING" });
    expect(asked()).toHaveLength(6);
    expect(lines.map(({ event }) => event)).not.toContain("replacement.refused");
  });

  test.each<[string, ScriptedAnswer]>([
    ["409 with words", { status: 409, body: "predecessor already replaced" }],
    ["403 with nothing", { status: 403, body: "" }],
    ["404 with JSON", { status: 404, body: { error: "no such certificate" } }],
    ["409 of no type", { status: 409, body: { detail: "replaced already" } }],
  ])("is placed once more without it after %s, no problem document of ACME's", async (_what, refusal) => {
    const { issued } = await runOrder(server, refusing([refusal]), { replaces: REPLACES });
    expect(asked()).toEqual([{ replaces: REPLACES }, {}]);
    expect(issued).toBeDefined();
  });

  test("is not placed again for a page of a firewall's, nor for what is no refusal", async () => {
    for (const answer of [
      { status: 403, body: "<html>Blocked</html>" },
      { status: 418, body: "tea" },
    ]) {
      server.forget();
      const { outcome } = await runOrder(server, { "/newOrder": [answer] }, { replaces: REPLACES });
      expect(outcome).toBeInstanceOf(OperatorError);
      expect(asked()).toEqual([{ replaces: REPLACES }]);
    }
  });

  test("whose account the CA has deactivated is not told as refused for it", async () => {
    const gone = problemAnswer(403, "unauthorized", "account is deactivated");
    const account = { status: 201, headers: { Location: "/account" }, body: { status: "deactivated" } };
    const answers = { "/newOrder": [gone], "/account": [account], "/newAccount": [account] };
    const { outcome, lines } = await runOrder(server, answers, { replaces: REPLACES });
    expect(outcome).toMatchObject({ code: "ACME_UNAUTHORIZED" });
    expect(lines.map(({ event }) => event)).not.toContain("replacement.refused");
  });

  test.each([
    [400, "accountDoesNotExist", {}],
    [400, "badCSR", {}],
    [403, "externalAccountRequired", {}],
    [403, "caa", {}],
    [429, "rateLimited", {}],
    [503, "rateLimited", { "Retry-After": "60" }],
    [400, "rejectedIdentifier", {}],
    [403, "userActionRequired", {}],
  ])("is not placed again after %i %s", async (status, type, headers) => {
    const { outcome } = await runOrder(
      server,
      { "/newOrder": [problemAnswer(status, type, "no", headers)] },
      { replaces: REPLACES },
    );
    expect(outcome).toBeInstanceOf(OperatorError);
    expect(asked()).toEqual([{ replaces: REPLACES }]);
  });
});

test("a CA that has no nonces for us is not suspected of refusing a renewal", async () => {
  server.answerUnsigned(({ path }) => (path === "/newNonce" ? { status: 500, body: "" } : undefined));
  const { outcome } = await runOrder(server, refusing([]), { replaces: REPLACES });
  expect(outcome).toMatchObject({ code: "ACME_CA_FAILING", origin: "ca-unreachable" });
  expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(3);
});

describe("an order with a profile", () => {
  test.each([true, false])("asks for one that the CA offers (required: %s)", async (isRequired) => {
    await runOrder(server, refusing([]), { profile: { name: "shortlived", isRequired } });
    expect(asked()).toEqual([{ profile: "shortlived" }]);
  });

  test("is refused before anything is signed when a required one isn't offered", async () => {
    const { outcome } = await runOrder(server, refusing([]), { profile: { name: "eternal", isRequired: true } });
    expect(outcome).toMatchObject({ code: "ACME_PROFILE_NOT_OFFERED" });
    const { message, remedy } = outcome as OperatorError;
    expect(message).toContain('no certificate profile "eternal": it has classic, shortlived');
    expect(remedy).toContain("CERTBOT_PROFILE to one of classic, shortlived");
    expect(server.posts()).toEqual([]);
  });

  test("is refused at a CA that knows no profiles, however the name is spelt", async () => {
    server.offer({});
    for (const name of ["shortlived", "constructor", "toString"]) {
      const { outcome } = await runOrder(server, refusing([]), { profile: { name, isRequired: true } });
      expect((outcome as OperatorError).message).toContain("it has none");
    }
  });

  test("goes without one that is only preferred and isn't offered, and says so", async () => {
    const { issued, lines } = await runOrder(server, refusing([]), { profile: { name: "eternal", isRequired: false } });
    expect(issued).toBeDefined();
    expect(asked()).toEqual([{}]);
    const told = lines.find(({ event }) => event === "profile.not-offered");
    expect(told).toMatchObject({ level: "warn", fields: { lineage: "a.test", profile: "eternal" } });
  });

  test("asks for the directory once more before it says that a profile isn't offered", async () => {
    server.answerUnsigned(({ path }, count) => {
      if (path === "/directory" && count > 1) server.offer({ meta: { profiles: { brandnew: "since today" } } });
      return undefined;
    });
    const { issued } = await runOrder(server, refusing([]), { profile: { name: "brandnew", isRequired: true } });
    expect(issued).toBeDefined();
    expect(directoryRequests()).toHaveLength(2);
  });

  test("goes without one that is only preferred when the CA refuses it to us", async () => {
    const refusal = problemAnswer(400, "invalidProfile", "not for this account");
    const wishes = { replaces: REPLACES, profile: { name: "shortlived", isRequired: false } };
    const { issued, lines } = await runOrder(server, refusing([refusal], { replaces: REPLACES }), wishes);
    expect(asked()).toEqual([{ replaces: REPLACES, profile: "shortlived" }, { replaces: REPLACES }]);
    expect(issued?.isReplacement).toBe(true);
    const told = lines.find(({ event }) => event === "profile.not-offered");
    expect(told?.fields).toMatchObject({ lineage: "a.test", profile: "shortlived" });
    expect(told?.fields["reason"]).toContain("not for this account");
  });

  test("ends when the CA refuses a required one to us", async () => {
    const refusal = problemAnswer(400, "invalidProfile", "not for this account");
    const wishes = { replaces: REPLACES, profile: { name: "shortlived", isRequired: true } };
    const { outcome } = await runOrder(server, { "/newOrder": [refusal] }, wishes);
    expect((outcome as OperatorError).message).toContain("not for this account");
    expect(asked()).toHaveLength(1);
  });
});

test("a CA that is away for a moment is asked again before the order is given up", async () => {
  server.answerUnsigned((_request, count) => (count < 3 ? { status: 502, body: "" } : undefined));
  const { issued, lines } = await runOrder(server, refusing([]), { replaces: REPLACES });
  expect(issued).toBeDefined();
  expect(lines.filter(({ event }) => event === "request.repeated")).toHaveLength(2);
});

describe("a URL without TLS", () => {
  test("in the CA's directory is for whoever runs the CA to mend", async () => {
    const directory = { newNonce: "http://ca.test/n", newAccount: "http://ca.test/a", newOrder: "http://ca.test/o" };
    server.answerUnsigned(({ path }) => (path === "/directory" ? { status: 200, body: directory } : undefined));
    const { outcome } = await runOrder(server, {});
    expect(outcome).toMatchObject({ code: "ACME_PLAIN_HTTP" });
    expect((outcome as OperatorError).message).toContain("http://ca.test/n, which the CA names,");
    expect((outcome as OperatorError).remedy).toContain("whoever runs the CA");
  });

  test("of the directory itself is ours to mend", async () => {
    const { outcome } = await runOrder(server, {}, { directoryUrl: "http://127.0.0.1:1/directory" });
    expect(outcome).toMatchObject({ code: "ACME_PLAIN_HTTP", remedy: expect.stringContaining("CERTBOT_SERVER") });
  });
});

test("an order for many names says in a few words what it is for", async () => {
  const identifiers = Array.from({ length: 100 }, (_, index) => ({ type: "dns" as const, value: `n${index}.test` }));
  const refusal = { "/newOrder": [problemAnswer(400, "rejectedIdentifier", "no")] };
  const { outcome } = await runOrder(server, refusal, { identifiers });
  expect((outcome as OperatorError).message).toContain("n0.test, n1.test, n2.test, n3.test, n4.test and 95 more: no");
});
