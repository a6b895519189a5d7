import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import type { DesiredCertificate, StoredLineage } from "../../../src/reconcile/index.ts";
import { assignNames, listForServers, strandsNames } from "../../../src/reconcile/deploy/owners.ts";
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

const STAGING = "https://staging/dir";

const listed = (desired: readonly DesiredCertificate[], stored: readonly StoredLineage[] = []) =>
  listForServers(desired, stored, { isStaging: (url) => url === STAGING }).map(
    ({ lineage, isDefault, isReal, identifiers }) =>
      [lineage, isDefault ? "default" : "-", isReal ? "real" : "test", ...identifiers.map(({ value }) => value)].join(
        " ",
      ),
  );

/** A lineage on disk that the settings don't name. */
function stored(name: string, more: { readonly issuer?: string; readonly isSelfSigned?: boolean } = {}): StoredLineage {
  const leaf = { fingerprint: name, serial: "01", validity, identifiers: names(name), issuer: "test", ...more };
  return { name, current: { version: 1, leaf } };
}

test("servers are told which certificate is the default one, and which a browser may rely on", () => {
  expect(listed([one("a.test", "a.test", "a.test"), one("b.test", "b.test")])).toEqual([
    "a.test default real a.test",
    "b.test - test b.test",
  ]);
  expect(listed([])).toEqual([]);
});

test("the first certificate with an IP address is the default one, since its clients name none", () => {
  const [box, hut] = [one("box", "192.0.2.1", "192.0.2.1"), one("hut", "hut.test 2001:db8::1", "hut.test 2001:db8::1")];
  expect(listed([one("a.test", "a.test", "a.test"), box, hut])).toEqual([
    "a.test - real a.test",
    "box default real 192.0.2.1",
    "hut - real hut.test 2001:db8::1",
  ]);
});

test("a certificate of a CA's place for tests is none to rely on, by its conf's word or by its issuer's", () => {
  const ofConf = { ...one("a.test", "a.test", "a.test"), currentDirectoryUrl: STAGING };
  const ofIssuer = stored("b.test", { issuer: "(STAGING) Riddling Rhubarb R12" });
  expect(listed([ofConf], [ofIssuer, stored("c.test", { isSelfSigned: true })])).toEqual([
    "a.test default test a.test",
    "b.test - test b.test",
    "c.test - test c.test",
  ]);
});

test("a lineage with a good version is listed whatever its conf is like, after what is wanted; one without isn't", () => {
  const a = one("a.test", "a.test", "a.test b.test");
  expect(listed([a], [stored("a.test"), stored("b.test"), stored("c.test"), { name: "d.test" }])).toEqual([
    "a.test default real a.test",
    "b.test - real b.test",
    "c.test - real c.test",
  ]);
});
