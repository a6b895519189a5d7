import { expect, test } from "vitest";
import { ValueProblem } from "../../../src/settings/mistake.ts";
import {
  isLetsEncrypt,
  isPublicCa,
  isStaging,
  parseServer,
  SERVERS,
  stagingOf,
} from "../../../src/settings/servers.ts";

const PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";

test("knows CAs by name, in any case of letters", () => {
  expect(parseServer("letsencrypt")).toBe(PRODUCTION);
  expect(parseServer("LetsEncrypt-Staging")).toBe(STAGING);
  for (const [name, url] of Object.entries(SERVERS)) expect(parseServer(name)).toBe(url);
});

test("takes any https directory URL", () => {
  expect(parseServer("https://pebble:14000/dir")).toBe("https://pebble:14000/dir");
});

test.each([
  "http://ca.test/directory",
  "letsencypt",
  "ca.test/directory",
  "pebble:14000/dir",
  "constructor",
  "https://",
])("refuses %s and says what is allowed", (text) => {
  expect(() => parseServer(text)).toThrow(ValueProblem);
  expect(() => parseServer(text)).toThrow(expect.objectContaining({ allowed: expect.stringContaining("zerossl") }));
});

test("refuses a URL with a password in it", () => {
  expect(() => parseServer("https://me:hunter2@ca.test/dir")).toThrow("has a user name in it");
});

test.each(["https://ca.test/dir#x", "https://ca.test/dir#"])("refuses %s, whose end no CA would see", (text) => {
  expect(() => parseServer(text)).toThrow("has a # in it");
});

test("says of Buypass that it is no more, and takes its URL as any other", () => {
  expect(() => parseServer("Buypass")).toThrow("stopped issuing certificates in October 2025");
  const url = "https://api.buypass.com/acme/directory";
  expect(parseServer(url)).toBe(url);
  expect(isPublicCa(url)).toBe(true);
});

test("finds the staging server of Let's Encrypt only", () => {
  expect(stagingOf(PRODUCTION)).toBe(STAGING);
  expect(stagingOf(STAGING)).toBe(STAGING);
  expect(stagingOf(SERVERS.zerossl)).toBeUndefined();
  expect(stagingOf("https://pebble:14000/dir")).toBeUndefined();
});

test("tells test directories of public CAs from real ones", () => {
  expect(isStaging(STAGING)).toBe(true);
  expect(isStaging("https://dv.acme-v02.test-api.pki.goog/directory")).toBe(true);
  expect(isStaging(PRODUCTION)).toBe(false);
  expect(isStaging("https://pebble:14000/dir")).toBe(false);
  expect(isStaging("no URL at all")).toBe(false);
});

test("tells Let's Encrypt from hosts that look like it", () => {
  expect(isLetsEncrypt(PRODUCTION)).toBe(true);
  expect(isLetsEncrypt(STAGING)).toBe(true);
  expect(isLetsEncrypt("https://evilletsencrypt.org/directory")).toBe(false);
  expect(isLetsEncrypt("https://letsencrypt.org.evil.test/directory")).toBe(false);
});

test("knows the CAs whose limits can be burned, and that their places for tests are none", () => {
  for (const url of [PRODUCTION, SERVERS.zerossl, SERVERS.google, "https://acme.ssl.com/sslcom-dv-ecc"]) {
    expect(isPublicCa(url)).toBe(true);
  }
  const others = [STAGING, "https://dv.acme-v02.test-api.pki.goog/directory", "https://pebble:14000/dir", "no URL"];
  for (const url of others) expect(isPublicCa(url)).toBe(false);
});
