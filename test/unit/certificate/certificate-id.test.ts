import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { certificateIdOf, readLeaf } from "../../../src/certificate/index.ts";

// RFC 9773, appendix A.
const OF_THE_RFC = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`;

const KEY_ID = "00112233445566778899aabbccddeeff00112233";
const AUTHORITY_KEY = `2.5.29.35=DER:30168014${KEY_ID}`;

/** What the openssl command signs, with extensions as its configuration has them; those in DER can be anything. */
function sign(serialHex: string, extensions: readonly string[]): X509Certificate {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null"];
  const added = extensions.flatMap((one) => ["-addext", one]);
  const args = ["req", "-x509", ...key, "-subj", "/CN=a.test", "-set_serial", `0x${serialHex}`, ...added];
  return new X509Certificate(execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] }));
}

function idOf(serialDer: string): string {
  return [KEY_ID, serialDer].map((hex) => Buffer.from(hex, "hex").toString("base64url")).join(".");
}

test("the RFC's example certificate has the identifier that the RFC gives", () => {
  const certificateId = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
  expect(certificateIdOf(new X509Certificate(OF_THE_RFC))).toBe(certificateId);
  expect(readLeaf(OF_THE_RFC)).toMatchObject({ certificateId, serial: "87654321" });
});

test.each([
  ["a single small digit", "1", "01"],
  ["127, the last of one byte", "7f", "7f"],
  ["128, which needs a zero in front", "80", "0080"],
  ["zeros inside", "0100000000", "0100000000"],
  ["twenty bytes", `7f${"5a".repeat(19)}`, `7f${"5a".repeat(19)}`],
  ["twenty bytes with the first bit set", `ff${"00".repeat(19)}`, `00ff${"00".repeat(19)}`],
])("a serial number of %s is written as in the certificate", (_what, typed, der) => {
  expect(certificateIdOf(sign(typed, [AUTHORITY_KEY]))).toBe(idOf(der));
});

test("an authority key identifier is found when it is marked critical, and when the authority's serial follows it", () => {
  expect(certificateIdOf(sign("01", [`2.5.29.35=critical,DER:30168014${KEY_ID}`]))).toBe(idOf("01"));
  expect(certificateIdOf(sign("01", [`2.5.29.35=DER:30198014${KEY_ID}820101`]))).toBe(idOf("01"));
});

test("the same bytes inside another extension are not taken for it", () => {
  const decoy = `1.2.3.4=DER:0603551d23041630148012${"ee".repeat(18)}`;
  expect(certificateIdOf(sign("01", [decoy, AUTHORITY_KEY]))).toBe(idOf("01"));
  expect(certificateIdOf(sign("01", [decoy, "authorityKeyIdentifier=none"]))).toBeUndefined();
});

test.each([
  ["has no such extension", "authorityKeyIdentifier=none"],
  ["gives issuer and serial alone", "2.5.29.35=DER:3003820101"],
  ["names nothing", "2.5.29.35=DER:3000"],
  ["names no bytes", "2.5.29.35=DER:30028000"],
  ["is cut off", "2.5.29.35=DER:30168014aabb"],
  ["has a length that DER doesn't allow", `2.5.29.35=DER:30808014${KEY_ID}${"00".repeat(120)}`],
])("a certificate that %s has no identifier", (_what, extension) => {
  expect(certificateIdOf(sign("01", [extension]))).toBeUndefined();
});

test("a certificate of a hundred long names is read to its end", () => {
  const names = Array.from({ length: 100 }, (_, index) => `DNS:a${index}.${"x".repeat(60)}.${"y".repeat(60)}.test`);
  const certificate = sign("01", [`subjectAltName=${names.join(",")}`, AUTHORITY_KEY]);
  expect(certificate.raw.length).toBeGreaterThan(10_000);
  expect(certificateIdOf(certificate)).toBe(idOf("01"));
});
