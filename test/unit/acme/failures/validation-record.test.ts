import { describe, expect, test } from "vitest";
import {
  describeValidation,
  isPrivateOnly,
  readValidationRecords,
  suspectIpv6Address,
} from "../../../../src/acme/failures/validation-record.ts";

const URL_ASKED = "http://a.test/.well-known/acme-challenge/t";
// As Boulder sends them.
const record = (addressUsed: string, addressesResolved: readonly string[], more: object = {}) => ({
  url: URL_ASKED,
  hostname: "a.test",
  port: "80",
  addressesResolved,
  addressUsed,
  ...more,
});
const described = (...records: readonly object[]) => describeValidation(readValidationRecords(records)).join("; ");

describe("what a CA asked", () => {
  test("is told with address and port", () => {
    expect(described(record("203.0.113.5", ["203.0.113.5"]))).toBe("it asked 203.0.113.5 port 80");
  });

  test("over IPv6 although IPv4 was there, points at the AAAA record", () => {
    const words = described(record("2001:db8::1", ["203.0.113.5", "2001:db8::1"]));
    expect(words).toMatch(
      /it asked 2001:db8::1 port 80; a\.test also has 203\.0\.113\.5; its AAAA record 2001:db8::1 may/,
    );
    expect(words).toContain("turns to IPv4 only when its first connection times out");
  });

  test("of several addresses of one kind, names the others", () => {
    const words = described(record("203.0.113.5", ["203.0.113.5", "203.0.113.6", "2001:db8::1"]));
    expect(words).toContain("a.test has other addresses too: 203.0.113.6, 2001:db8::1");
  });

  test("tells a second try over IPv4 from a redirect", () => {
    const both = ["203.0.113.5", "2001:db8::1"];
    const words = described(record("2001:db8::1", both), record("203.0.113.5", both));
    expect(words).toContain("it asked 2001:db8::1 port 80, got no connection and asked 203.0.113.5 port 80");
  });

  test("by redirects shows each step and the strange host", () => {
    const there = { url: "https://www.other.test/x", hostname: "www.other.test", port: "443" };
    const words = described(
      record("203.0.113.5", ["203.0.113.5"]),
      record("203.0.113.5", ["203.0.113.5"], { url: "https://a.test/y", port: "443" }),
      record("198.51.100.7", ["198.51.100.7"], there),
    );
    expect(words).toBe(
      "it asked 203.0.113.5 port 80, was redirected to https://a.test/y and asked 203.0.113.5 port 443, was redirected to " +
        "https://www.other.test/x and asked 198.51.100.7 port 443; the proof must be found at www.other.test too, where " +
        "redirects led",
    );
  });

  test("at a private address says that nobody outside reaches it", () => {
    expect(described(record("192.168.1.5", ["192.168.1.5"]))).toContain("a.test has the private address 192.168.1.5");
  });

  test("without having come to a request names the host", () => {
    expect(described(record("", [], { addressUsed: undefined }))).toBe("it asked a.test port 80");
  });
});

test.each([
  ["an IPv6 address beside an IPv4 one", [record("2001:db8::1", ["203.0.113.5", "2001:db8::1"])], "2001:db8::1"],
  ["an IPv6 address alone", [record("2001:db8::1", ["2001:db8::1"])], undefined],
  ["an IPv4 address", [record("203.0.113.5", ["203.0.113.5", "2001:db8::1"])], undefined],
  [
    "an IPv4 address after the IPv6 one",
    [record("2001:db8::1", ["203.0.113.5", "2001:db8::1"]), record("203.0.113.5", ["203.0.113.5", "2001:db8::1"])],
    undefined,
  ],
  ["nothing", [], undefined],
])("the AAAA record is suspected after %s: %#", (_what, records, suspect) => {
  expect(suspectIpv6Address(readValidationRecords(records))).toBe(suspect);
});

test.each([
  ["10.1.2.3", true],
  ["fd00::1", true],
  ["8.8.8.8", false],
  ["2606:4700::1111", false],
])("whether %s can be reached by nobody on the internet: %j", (address, isPrivate) => {
  expect(isPrivateOnly(readValidationRecords([record(address, [address])]))).toBe(isPrivate);
});

test.each([
  undefined,
  null,
  "text",
  [null, 1, [], {}],
  [{ hostname: 1, port: "80" }],
  [{ hostname: "a.test", port: {} }],
])("what is no record is left out: %j", (data) => {
  expect(readValidationRecords(data)).toEqual([]);
});

test("what is no address is left out, and so are more records than a CA makes", () => {
  const odd = record("no address", ["203.0.113.5", "evil\u001b[2J", 7 as unknown as string]);
  expect(readValidationRecords([odd])).toEqual([record(undefined as unknown as string, ["203.0.113.5"])]);
  expect(readValidationRecords(Array(1000).fill(odd)).length).toBeLessThan(30);
});
