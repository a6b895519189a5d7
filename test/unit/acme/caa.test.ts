import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { showCaa } from "../../../src/acme/caa.ts";
import { type Problem } from "../../../src/acme/failures/problem.ts";
import { ChallengeFailedError, ProblemError } from "../../../src/acme/failures/problem-errors.ts";
import type { CaaLookup } from "../../../src/ports/index.ts";
import { lookUpCaa } from "../../../src/system/index.ts";
import { type DnsServer, startDnsServer } from "../../support/dns-server.ts";

const URN = "urn:ietf:params:acme:error:";
const OURS = "letsencrypt.org; accounturi=https://ca.test/acct/1; validationmethods=dns-01";

let dns: DnsServer;
beforeAll(async () => {
  dns = await startDnsServer({
    "example.test": [
      [0, "issue", "digicert.com"],
      [128, "iodef", "mailto:ca@example.test"],
    ],
    "www.example.test": [],
    "bound.test": [[0, "issue", OURS]],
    "broken.test": "servfail",
    "silent.test": "silence",
    test: [],
  });
});
afterAll(() => dns.stop());

const live = () => new AbortController().signal;
const lookUp: CaaLookup = (name, signal) => lookUpCaa(name, signal, [dns.address]);
const caa = (detail: string, subproblems: Problem["subproblems"] = []): Problem => ({
  type: `${URN}caa`,
  detail,
  subproblems,
});
const failed = (value: string) =>
  new ChallengeFailedError([
    { identifier: { type: "dns", value }, problem: caa("CAA prevents issuance"), records: [], isTried: true },
  ]);
const shown = (value: string) => showCaa(failed(value), { identifiers: [], lookUp, signal: live() });

describe("a refusal for CAA", () => {
  test("shows the records of the closest name that has any, the CA's words before", async () => {
    const { message, code } = await shown("www.example.test");
    expect(code).toBe("ACME_CAA");
    expect(message).toBe(
      "The CA could not verify www.example.test: CAA prevents issuance (CAA record found at example.test: " +
        '0 issue "digicert.com", 128 iodef "mailto:ca@example.test")',
    );
    expect(dns.asked).toEqual(["www.example.test", "example.test"]);
  });

  test("for a wildcard looks at the name below the star", async () => {
    expect((await shown("*.example.test")).message).toContain('example.test: 0 issue "digicert.com"');
    expect(dns.asked.join()).not.toContain("*");
  });

  test("explains the parameters that bind a record to an account or a method", async () => {
    const { message } = await shown("a.bound.test");
    expect(message).toMatch(/accounturi allows one account only.*validationmethods allows no other way/);
  });

  test("says so where no record is seen from here", async () => {
    expect((await shown("nothing.test")).message).toContain("from here no CAA record is seen for nothing.test");
  });

  test("survives name servers that fail, and a caller who has no time", async () => {
    expect((await shown("broken.test")).message).toContain("can't be looked up from here");
    const hurried = showCaa(failed("silent.test"), { identifiers: [], lookUp, signal: AbortSignal.timeout(50) });
    expect((await hurried).message).toContain("can't be looked up from here");
  });

  test("at the order itself shows the records of the names that the CA refuses, or else of all", async () => {
    const identifiers = ["www.example.test", "a.bound.test"].map((value) => ({ type: "dns", value }) as const);
    const below = [{ type: `${URN}caa`, detail: "no", identifier: "a.bound.test" }];
    const named = await showCaa(new ProblemError("finalize it", caa("Rechecking CAA", below)), {
      identifiers,
      lookUp,
      signal: live(),
    });
    expect(named.message).toContain("found at bound.test");
    expect(named.message).not.toContain("example.test");
    const all = await showCaa(new ProblemError("finalize it", caa("no")), { identifiers, lookUp, signal: live() });
    expect(all.message).toMatch(/refused to finalize it: no \(.*example\.test.*bound\.test/);
  });
});

test("no other failure asks the DNS", async () => {
  const before = dns.asked.length;
  const other = new ProblemError("place an order", { type: `${URN}malformed`, detail: "no", subproblems: [] });
  expect(await showCaa(other, { identifiers: [{ type: "dns", value: "a.test" }], lookUp, signal: live() })).toBe(other);
  expect(dns.asked).toHaveLength(before);
});
