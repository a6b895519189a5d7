import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import type { DesiredCertificate } from "../../../src/reconcile/index.ts";
import { assignNames, strandsNames } from "../../../src/reconcile/deploy/owners.ts";
import { byWebroot } from "../../support/challenges.ts";

const names = (texts: string) => texts.split(" ").filter(Boolean).map(parseIdentifier);
const validity = { notBefore: new Date(0), notAfter: new Date(1) };

/** A certificate that is to have `wanted`, and has `onDisk`. */
function one(lineage: string, wanted: string, onDisk = ""): DesiredCertificate {
  const settings = {
    directoryUrl: "https://ca/dir",
    keyType: "ecdsa-p256",
    challenges: byWebroot("/w"),
    autorenew: true,
    reuseKey: false,
  } as const;
  const leaf = { fingerprint: lineage, serial: "01", validity, identifiers: names(onDisk), issuer: "test" };
  const current = onDisk === "" ? undefined : { version: 1, leaf };
  return { lineage, identifiers: names(wanted), settings, current, isKeptProduction: false };
}

const shown = (...desired: DesiredCertificate[]) =>
  assignNames(desired).map(({ lineage, identifiers }) => [lineage, ...identifiers.map(({ value }) => value)].join(" "));

test("each name goes to the certificate that wants it and has it", () => {
  expect(shown(one("a.test", "a.test www.a.test", "a.test www.a.test"), one("b.test", "b.test", "b.test"))).toEqual([
    "a.test a.test www.a.test",
    "b.test b.test",
  ]);
});

test("a name stays with the old certificate until the new one is there, and then moves", () => {
  const old = one("b.test", "b.test", "b.test");
  expect(shown(one("a.test", "a.test b.test", "a.test"), old)).toEqual(["a.test a.test", "b.test b.test"]);
  expect(shown(one("a.test", "a.test b.test", "a.test b.test"), old)).toEqual(["a.test a.test b.test"]);
});

test("a certificate that is split keeps a name for which the other isn't there yet", () => {
  const whole = one("a.test", "a.test", "a.test www.a.test");
  expect(shown(whole, one("www.a.test", "www.a.test"))).toEqual(["a.test a.test www.a.test"]);
  expect(shown(whole, one("www.a.test", "www.a.test", "www.a.test"))).toEqual([
    "a.test a.test",
    "www.a.test www.a.test",
  ]);
});

test("a name that nobody has goes to the one that wants it, so that it gets a placeholder", () => {
  expect(shown(one("a.test", "a.test"))).toEqual(["a.test a.test"]);
});

test("two lineages with the same names: the first serves them, the other is left without", () => {
  expect(shown(one("a.test-0001", "a.test", "a.test"), one("a.test", "a.test", "a.test"))).toEqual([
    "a.test-0001 a.test",
  ]);
});

test("a new version that would leave a name without any certificate is known as such", () => {
  const whole = one("a.test", "a.test", "a.test www.a.test");
  expect(strandsNames(whole, [whole, one("www.a.test", "www.a.test")])).toBe(true);
  expect(strandsNames(whole, [whole, one("www.a.test", "www.a.test", "www.a.test")])).toBe(false);
  // Nobody wants the name any more: it is simply given up.
  expect(strandsNames(whole, [whole])).toBe(false);
});
