import { describe, expect, test } from "vitest";
import type { FailedProof } from "../../../../src/acme/failures/failed-proof.ts";
import { ChallengeFailedError } from "../../../../src/acme/failures/problem-errors.ts";
import { readValidationRecords } from "../../../../src/acme/failures/validation-record.ts";

const URL_ASKED = "http://a.test/.well-known/acme-challenge/t";

type Options = { readonly value?: string; readonly isTried?: boolean; readonly records?: readonly object[] };

function failed(type: string, detail: string, options: Options = {}): FailedProof {
  const { value = "a.test", isTried = true, records = [] } = options;
  return {
    identifier: { type: /^[\d.]+$/.test(value) ? "ip" : "dns", value },
    problem: { type: `urn:ietf:params:acme:error:${type}`, detail, subproblems: [] },
    records: readValidationRecords(records),
    isTried,
  };
}

const of = (...failures: readonly FailedProof[]) => new ChallengeFailedError(failures);
const asked = (addressUsed: string, ...others: readonly string[]) => [
  { url: URL_ASKED, hostname: "a.test", port: "80", addressUsed, addressesResolved: [addressUsed, ...others] },
];

describe("a failed proof", () => {
  // Boulder's wordings.
  test.each([
    ["connection", `203.0.113.5: Fetching ${URL_ASKED}: Timeout during connect (likely firewall problem)`, /firewall/],
    ["connection", `203.0.113.5: Fetching ${URL_ASKED}: Connection refused`, /Start nginx/],
    ["connection", `203.0.113.5: Fetching ${URL_ASKED}: Connection reset by peer`, /Start nginx/],
    ["connection", "Timeout after connect (your server may be slow or overloaded)", /doesn't answer within seconds/],
    ["connection", "Timeout during read (your server may be slow or overloaded)", /doesn't answer within seconds/],
    ["connection", "During secondary validation: 203.0.113.5: Timeout during connect", /all countries/],
    [
      "connection",
      "Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443",
      /without a redirect/,
    ],
    ["connection", "Too many redirects", /without a redirect/],
    ["connection", "Server is speaking HTTP/2 over HTTP", /HTTP\/1\.1/],
    ["connection", "Error getting validation data", /Open port 80/],
    [
      "dns",
      "DNS problem: NXDOMAIN looking up A for a.test - check that a DNS record exists for this domain",
      /Register the name/,
    ],
    [
      "dns",
      "DNS problem: SERVFAIL looking up A for a.test - the domain's nameservers may be malfunctioning",
      /name servers/,
    ],
    ["dns", "During secondary validation: DNS problem: query timed out looking up A for a.test", /name servers/],
    ["dns", "DNS problem: SERVFAIL looking up CAA for a.test - the domain's nameservers may", /answer for CAA too/],
    ["dns", "no valid A records found for a.test; no valid AAAA records found for a.test", /the internet reaches/],
    ["dns", "something else", /A or AAAA record/],
    ["unauthorized", `203.0.113.5: Invalid response from ${URL_ASKED}: 404`, /from the webroot/],
    ["unauthorized", `203.0.113.5: Invalid response from ${URL_ASKED}: 403`, /Let everybody read/],
    ["unauthorized", `203.0.113.5: Invalid response from ${URL_ASKED}: 502`, /instead of passing it on/],
    [
      "unauthorized",
      `203.0.113.5: Invalid response from ${URL_ASKED}: "<!doctype html><title>Parked Domain"`,
      /parking page/,
    ],
    [
      "unauthorized",
      'The key authorization file from the server did not match this challenge. Expected "x" (got "y")',
      /Let only this/,
    ],
    [
      "unauthorized",
      `During secondary validation: 203.0.113.5: Invalid response from ${URL_ASKED}: 403`,
      /all countries/,
    ],
    ["incorrectResponse", "the response did not match", /from the webroot/],
    ["tls", "remote error: tls: handshake failure", /plain http/],
    ["malformed", "Server only speaks HTTP, not TLS", /plain http/],
    ["caa", "CAA record for a.test prevents issuance", /CAA records/],
    ["serverInternal", "Could not communicate with VA", /the CA failed/],
    ["somethingNew", "never heard of", /Read what the CA says/],
  ])("by %s %j has a remedy of its own, and keeps the CA's words", (type, detail, remedy) => {
    const error = of(failed(type, detail));
    expect(error.message).toBe(`The CA could not verify a.test: ${detail}`);
    expect(error.remedy).toMatch(remedy);
    expect(error.remedy).toMatch(/^[A-Z].*\.$/);
  });

  test.each(["connection", "unauthorized", "tls"])(
    "by %s over a suspect IPv6 address names that AAAA record",
    (type) => {
      const error = of(failed(type, "words", { records: asked("2001:db8::1", "203.0.113.5") }));
      expect(error.remedy).toContain("Correct or remove the AAAA record 2001:db8::1,");
      expect(error.message).toContain("(it asked 2001:db8::1 port 80; a.test also has 203.0.113.5;");
    },
  );

  test("at a private address asks for a public one, but not where an answer came from there", () => {
    const records = asked("10.0.0.5");
    expect(of(failed("connection", "Timeout", { records })).remedy).toContain("that the internet reaches");
    expect(of(failed("unauthorized", "404", { records })).remedy).toContain("from the webroot");
  });

  test("of an IP address speaks of no records", () => {
    for (const type of ["connection", "unauthorized"]) {
      const error = of(failed(type, "words", { value: "203.0.113.5" }));
      expect(error.remedy).not.toContain("AAAA");
    }
  });
});

describe("several failed proofs", () => {
  test("of a hundred names stay readable", () => {
    const names = Array.from({ length: 100 }, (_, index) => `name-${index}.test`);
    const error = of(...names.map((value) => failed("connection", "x".repeat(100_000), { value })));
    for (const name of names) expect(error.message).toContain(name);
    expect(error.message.length).toBeLessThan(50_000);
    expect(error.remedy.match(/Open port 80/g)).toHaveLength(1);
  });

  test("count as unverified where a validation failed, not where the CA refused or nothing was tried", () => {
    const { unverified, origin } = of(
      failed("connection", "x", { value: "tried.test" }),
      failed("caa", "x", { value: "caa.test" }),
      failed("rejectedIdentifier", "x", { value: "rejected.test" }),
      failed("rateLimited", "x", { value: "limited.test" }),
      failed("connection", "x", { value: "expired.test", isTried: false }),
    );
    expect(unverified.map(({ value }) => value)).toEqual(["tried.test", "caa.test"]);
    expect(origin).toBe("proof");
  });

  test("are the CA's failure only where it says so of all", () => {
    expect(of(failed("serverInternal", "x")).origin).toBe("ca-failing");
    expect(of(failed("serverInternal", "x"), failed("dns", "y", { value: "b.test" })).origin).toBe("proof");
  });
});

test("nothing that moves a terminal's cursor gets through", () => {
  const records = [{ url: "http://x/\u001b[2J", hostname: "a\u0007.test", port: "80", addressUsed: "192.0.2.1" }];
  const error = of(failed("unauthorized", 'got "\u001b]0;owned\u0007"\r\n', { records: [...records, ...records] }));
  // eslint-disable-next-line no-control-regex
  expect(error.message).not.toMatch(/[\u0000-\u001f]/);
});
