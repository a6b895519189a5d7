import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { resolveDesired, type Policy, type StoredLineage } from "../../../src/reconcile/index.ts";
import { UnknownLineageError } from "../../../src/reconcile/errors.ts";
import { aPolicy } from "../../support/a-policy.ts";
import { byWebroot } from "../../support/challenges.ts";

const names = (...texts: string[]) => texts.map(parseIdentifier);
const validity = { notBefore: new Date(0), notAfter: new Date(1) };
const PRODUCTION = "https://ca.test/dir";
const STAGING = "https://staging.ca.test/dir";

function stored(name: string, texts: string[], directoryUrl = PRODUCTION): StoredLineage {
  const leaf = { fingerprint: name, serial: "01", validity, identifiers: names(...texts), issuer: "test" };
  const settings = {
    directoryUrl,
    accountId: "id",
    keyType: "rsa-2048",
    challenges: byWebroot("/old"),
    autorenew: true,
    reuseKey: false,
  } as const;
  return { name, settings, current: { version: 3, leaf } };
}

function policy(directoryUrl: string, ...wanted: string[][]): Policy {
  const certificates = wanted.map((texts) => ({ name: texts[0] ?? "", identifiers: names(...texts) }));
  return aPolicy({
    wanted: certificates,
    directoryUrl,
    challenges: byWebroot("/w"),
    isStaging: (url) => url === STAGING,
  });
}

test("a wanted set of names that a -0001 lineage covers exactly is that lineage", () => {
  const found = resolveDesired(policy(PRODUCTION, ["a.test", "b.test"]), [
    stored("a.test", ["a.test"]),
    stored("a.test-0001", ["b.test", "a.test"]),
  ]);
  expect(found.map(({ lineage }) => lineage)).toEqual(["a.test-0001", "a.test"]);
});

test("other names for a known certificate keep its lineage, and the wanted names are the ones asked for", () => {
  const [one] = resolveDesired(policy(PRODUCTION, ["a.test", "c.test"]), [stored("a.test", ["a.test", "b.test"])]);
  expect(one?.lineage).toBe("a.test");
  expect(one?.identifiers).toEqual(names("a.test", "c.test"));
  expect(one?.current?.version).toBe(3);
});

test("a lineage that the settings don't name is kept with its own settings", () => {
  const found = resolveDesired(policy(PRODUCTION, ["new.test"]), [
    stored("mail.test", ["mail.test"], "https://other/dir"),
  ]);
  expect(
    found.map(({ lineage, settings }) => [lineage, settings.directoryUrl, settings.challenges[0]?.settings]),
  ).toEqual([
    ["new.test", PRODUCTION, "/w"],
    ["mail.test", "https://other/dir", "/old"],
  ]);
});

test("a staging directory never takes the place of a production certificate", () => {
  const [one] = resolveDesired(policy(STAGING, ["a.test"]), [stored("a.test", ["a.test"])]);
  expect(one?.settings.directoryUrl).toBe(PRODUCTION);
});

test("a staging certificate goes to production when production is asked for", () => {
  const [one] = resolveDesired(policy(PRODUCTION, ["a.test"]), [stored("a.test", ["a.test"], STAGING)]);
  expect(one?.settings.directoryUrl).toBe(PRODUCTION);
  expect(one?.currentDirectoryUrl).toBe(STAGING);
  expect(one?.settings.accountId).toBeUndefined();
});

test("a lineage whose files can't be read and that nobody names is left to the report of broken ones", () => {
  expect(resolveDesired(policy(PRODUCTION), [{ name: "broken.test" }])).toEqual([]);
});

test("a certificate that is there keeps its kind of key until the operator chooses another", () => {
  const wanted = policy(PRODUCTION, ["a.test"]);
  const keyTypeOf = (one: Policy) => resolveDesired(one, [stored("a.test", ["a.test"])])[0]?.settings.keyType;
  expect(keyTypeOf(wanted)).toBe("rsa-2048");
  expect(keyTypeOf({ ...wanted, keyType: "ecdsa-p256" })).toBe("ecdsa-p256");
  expect(resolveDesired(wanted, [])[0]?.settings.keyType).toBe("ecdsa-p256");
});

test("only settings without a mistake can leave a certificate out", () => {
  const there = [stored("a.test", ["a.test"]), stored("mail.test", ["mail.test"])];
  const unnamed = (asked: Policy) => resolveDesired(asked, there).map(({ isUnnamed = false }) => isUnnamed);
  const asked = policy(PRODUCTION, ["a.test"]);
  expect(unnamed(asked)).toEqual([false, true]);
  const settingsProblem = new UnknownLineageError("x", []);
  expect(unnamed({ ...asked, settingsProblem })).toEqual([false, false]);
  expect(unnamed({ ...asked, settingsProblem, areOrdersInDoubt: true })).toEqual([false, false]);
});

test("a pair without a conf is what is wanted, before another of the same names and after one that has a conf", () => {
  const bare = (name: string): StoredLineage => ({ ...stored(name, ["a.test"]), settings: undefined });
  const chosen = (...there: StoredLineage[]) => resolveDesired(policy(PRODUCTION, ["a.test"]), there)[0]?.lineage;
  expect(chosen(bare("a.test-0001"), bare("a.test"))).toBe("a.test");
  expect(chosen(bare("a.test-0001"), stored("a.test-0002", ["a.test"]))).toBe("a.test-0002");
  expect(chosen(bare("a.test-0001"))).toBe("a.test-0001");
  expect(resolveDesired(policy(PRODUCTION), [bare("a.test")])).toEqual([]);
});
