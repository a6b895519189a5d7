import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { distanceFrom, isSameLeaf, linkTargets, readChain, rootName } from "../../../src/acme/certificate-chain.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { type Answers, certificateAnswer, happyEnd, runOrder } from "../../support/scripted-order.ts";
import { makeTestCertificate, type TestCertificate } from "../../support/test-ca.ts";

let server: ScriptedCa;
let old: TestCertificate;
let young: TestCertificate;
beforeAll(async () => {
  server = await startScriptedCa();
  old = await makeTestCertificate(undefined, "Old root");
  young = await makeTestCertificate(undefined, "Young root");
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

/** A chain of these certificates; only their names matter here. */
const chainOf = (...pems: readonly string[]) => {
  const chain = readChain(pems.join(""));
  if (chain === undefined) throw new Error("no certificate was given");
  return chain;
};

describe("a chain", () => {
  test("leads to the root that issued its last certificate", () => {
    expect(rootName(chainOf(old.certificatePem))).toBe("Old root");
    expect(rootName(chainOf(old.certificatePem, young.caPem))).toBe("Young root");
    expect(rootName({ certificatePem: "", chainPem: "" })).toBeUndefined();
  });

  test("is the wanted one the more, the nearer the name is to its root", () => {
    const crossed = chainOf(young.certificatePem, old.caPem);
    expect(distanceFrom("Old root", crossed)).toBe(0);
    expect(distanceFrom("Young root", crossed)).toBe(1);
    expect(distanceFrom("young root", crossed)).toBe(Infinity);
    expect(distanceFrom("Young root", { certificatePem: "garbage", chainPem: "" })).toBe(Infinity);
  });

  test("is the wanted one when a certificate in it has the fingerprint", () => {
    const chain = chainOf(young.certificatePem, old.caPem);
    const { fingerprint256 } = new X509Certificate(old.caPem);
    expect(distanceFrom(fingerprint256, chain)).toBe(0);
    expect(distanceFrom(fingerprint256.replaceAll(":", "").toLowerCase(), chain)).toBe(0);
    expect(distanceFrom(fingerprint256, chainOf(young.certificatePem))).toBe(Infinity);
  });

  test("is of the same leaf or not", () => {
    expect(isSameLeaf(chainOf(old.certificatePem), chainOf(old.certificatePem, young.caPem))).toBe(true);
    expect(isSameLeaf(chainOf(old.certificatePem), chainOf(young.certificatePem))).toBe(false);
  });
});

describe("a Link header", () => {
  test.each([
    ['<https://ca.test/a/1>;rel="alternate"', ["https://ca.test/a/1"]],
    [
      '<https://ca.test/dir>;rel="index", </a/1>; rel=alternate,</a/2>;title="a, b";rel="alternate"',
      ["https://ca.test/a/1", "https://ca.test/a/2"],
    ],
    ['<https://ca.test/a/1>; REL="up alternate"', ["https://ca.test/a/1"]],
    ['<https://ca.test/a,b>;rel="alternate"', ["https://ca.test/a,b"]],
    ['<https://ca.test/a/1>;rel="alternates"', []],
    ["https://ca.test/a/1;rel=alternate", []],
    ["<>;;;<<", []],
    [undefined, []],
  ])("%s names its alternates", (header, expected) => {
    expect(linkTargets(header, "alternate", "https://ca.test/cert/1")).toEqual(expected);
  });
});

describe("the chain of a new certificate", () => {
  /** A CA with a default chain and others at /a/1, /a/2, … */
  const offering = (first: string, ...others: readonly ScriptedAnswer[]): Answers => {
    const links = others.map((_answer, index) => `<${server.origin}/a/${index + 1}>;rel="alternate"`);
    const more = Object.fromEntries(others.map((answer, index) => [`/a/${index + 1}`, [answer]]));
    const certificate = certificateAnswer(first, links.length === 0 ? {} : { Link: links.join(", ") });
    return { ...happyEnd(server, first), "/certificate": [certificate], ...more };
  };
  const viaOld = () => `${young.certificatePem}${old.caPem}`;
  const viaYoung = () => `${young.certificatePem}${young.caPem}`;
  const fetched = () => server.posts().filter(({ path }) => path.startsWith("/a/"));

  test("is the default one when it fits, or nothing is preferred, and no other is asked for", async () => {
    const answers = offering(viaOld(), certificateAnswer(viaYoung()));
    expect((await runOrder(server, answers)).issued?.chainPem).toBe(old.caPem);
    const preferring = await runOrder(server, answers, { preferredChain: "Old root" });
    expect(preferring.issued?.chainPem).toBe(old.caPem);
    expect(fetched()).toEqual([]);
  });

  test("is the one whose root has the name, rather than one that has it in its middle", async () => {
    const answers = offering(viaOld(), certificateAnswer(viaYoung()));
    const { issued, lines } = await runOrder(server, answers, { preferredChain: "Young root" });
    expect(issued?.chainPem).toBe(young.caPem);
    expect(lines.map(({ event }) => event)).not.toContain("chain.not-offered");
  });

  test("is the one that has the name in its middle when no other has it", async () => {
    const { issued, lines } = await runOrder(server, offering(viaOld()), { preferredChain: "Young root" });
    expect(issued?.chainPem).toBe(old.caPem);
    expect(lines.map(({ event }) => event)).not.toContain("chain.not-offered");
  });

  test("is the default one when none fits, and what there was is told", async () => {
    const answers = offering(viaOld(), certificateAnswer(viaYoung()));
    const { issued, lines } = await runOrder(server, answers, { preferredChain: "No root" });
    expect(issued?.chainPem).toBe(old.caPem);
    expect(lines.find(({ event }) => event === "chain.not-offered")).toMatchObject({
      level: "warn",
      fields: { lineage: "a.test", chain: "No root", offered: ["Old root", "Young root"] },
    });
  });

  test("is found although other alternates are refused, garbled, or of another certificate", async () => {
    const answers = offering(
      viaOld(),
      problemAnswer(404, "malformed", "gone"),
      { status: 200, body: "<html>" },
      certificateAnswer(`${old.certificatePem}${young.caPem}`),
      certificateAnswer("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      certificateAnswer(viaYoung()),
    );
    const { issued } = await runOrder(server, answers, { preferredChain: "Young root" });
    expect(issued).toMatchObject({ certificatePem: young.certificatePem, chainPem: young.caPem });
    expect(fetched()).toHaveLength(5);
  });

  test("is the default one when the CA falls silent over an alternate, and the next ones are not waited for", async () => {
    const dead: ScriptedAnswer = { status: 500, body: "" };
    const answers = offering(viaOld(), dead, dead, dead);
    const { issued } = await runOrder(server, answers, { preferredChain: "No root" });
    expect(issued?.chainPem).toBe(old.caPem);
    expect(new Set(fetched().map(({ path }) => path))).toEqual(new Set(["/a/1"]));
  });

  test("is looked for in ten alternates at most", async () => {
    const many = Array.from({ length: 30 }, () => certificateAnswer(viaYoung()));
    await runOrder(server, offering(viaOld(), ...many), { preferredChain: "No root" });
    expect(fetched()).toHaveLength(10);
  });
});
