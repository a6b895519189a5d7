import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Identifier, lifetimeMs, readLeaf } from "../../src/certificate/index.ts";
import type { IssuedCertificate, IssueRequest } from "../../src/reconcile/index.ts";
import { acmeStage, dns, failureOf, freshName } from "../support/acme-stage.ts";
import { pebbleFinds } from "../support/pebble-finds.ts";

const HOUR_S = 3600;
const LONG = "long";
const SHORT = "short";
const LIFETIMES_S = { [LONG]: 90 * 24 * HOUR_S, [SHORT]: 6 * 24 * HOUR_S };

const stage = acmeStage({ profiles: LIFETIMES_S, alternateRoots: 2 });

// Of several profiles Pebble draws one, so each order here asks for one.
const request = (identifiers: readonly Identifier[], more: Partial<IssueRequest> = {}) =>
  stage.request(identifiers, { profile: { name: LONG, isRequired: true }, ...more });

const live = () => new AbortController().signal;

function certificateIdOf({ certificatePem }: IssuedCertificate): string {
  const { certificateId } = readLeaf(certificatePem);
  if (certificateId === undefined) throw new Error("the certificate names no authority key");
  return certificateId;
}

describe("renewal information", () => {
  test("is a window that the CA can move", async () => {
    const { issue, authority } = await stage.sidecar();
    const issued = await issue(request(dns(freshName())));
    const id = certificateIdOf(issued);
    const ask = () => authority.renewalInfo(stage.ca.directoryUrl, id, live());
    const { validity } = readLeaf(issued.certificatePem);

    const first = await ask();
    if (first.kind !== "window") throw new Error("no window", { cause: first });
    expect(first.endAt.getTime()).toBeGreaterThan(validity.notBefore.getTime());
    expect(first.endAt.getTime()).toBeLessThan(validity.notAfter.getTime());
    expect(first.askAgainAt?.getTime()).toBeGreaterThan(Date.now());

    const suggestedWindow = { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" };
    const moved = JSON.stringify({ suggestedWindow, explanationURL: "https://ca.test/incident" });
    await stage.pebble.setRenewalInfo(issued.certificatePem, moved);
    expect(await ask()).toMatchObject({
      kind: "window",
      startAt: new Date(suggestedWindow.start),
      endAt: new Date(suggestedWindow.end),
      explanationUrl: "https://ca.test/incident",
    });

    await stage.pebble.setRenewalInfo(issued.certificatePem, "{ not quite JSON");
    expect(await ask()).toMatchObject({
      kind: "long-term",
      reason: expect.stringContaining("without a suggestedWindow"),
    });
  });

  test("of a certificate that the CA doesn't know is no answer for long", async () => {
    const { authority } = await stage.sidecar();
    const answer = await authority.renewalInfo(stage.ca.directoryUrl, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", live());
    expect(answer).toMatchObject({ kind: "long-term", reason: expect.stringContaining("no known issuer") });
  });
});

describe("a renewal", () => {
  test("is known to the CA as one, and only once for each certificate", async () => {
    const { issue, lines } = await stage.sidecar();
    const names = dns(freshName());
    let first = await issue(request(names));
    while (!pebbleFinds(new X509Certificate(first.certificatePem))) first = await issue(request(names));
    expect(first.isReplacement).toBe(false);
    const replaces = certificateIdOf(first);
    const renewed = await issue(request(names, { replaces }));
    const refusals = () => lines.filter(({ event }) => event === "replacement.refused");
    expect(refusals()).toEqual([]);
    expect(renewed.isReplacement).toBe(true);
    // The CA answers 409 alreadyReplaced now.
    expect((await issue(request(names, { replaces }))).isReplacement).toBe(false);
    expect(refusals()).toHaveLength(1);
    expect(stage.ca.passed.filter(({ status }) => status === 409)).toHaveLength(1);
  });

  test("of a certificate that the CA doesn't know is issued all the same", async () => {
    const { issue, lines } = await stage.sidecar();
    const [keyId] = certificateIdOf(await issue(request(dns(freshName())))).split(".");
    const unknown = [`${keyId}.AIdlQyE`, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"];
    for (const replaces of unknown) {
      const issued = await issue(request(dns(freshName()), { replaces }));
      expect(issued.isReplacement).toBe(false);
    }
    const told = lines.filter(({ event }) => event === "replacement.refused").map(({ fields }) => fields["reason"]);
    // Pebble fails over a serial number that it doesn't know, and refuses an issuer that isn't its own.
    expect(told).toEqual([expect.stringContaining("500"), expect.stringContaining("no known issuer")]);
  });
});

test("a renewal whose order's answer is lost on its way is issued all the same", async () => {
  const { issue } = await stage.sidecar();
  const names = dns(freshName());
  const replaces = certificateIdOf(await issue(request(names)));
  stage.ca.loseAnswer("order-plz");
  const issued = await issue(request(names, { replaces }));
  expect(readLeaf(issued.certificatePem).identifiers).toEqual(names);
});

describe("a profile", () => {
  test.each([LONG, SHORT] as const)("named %s decides how long the certificate lives", async (name) => {
    const { issue } = await stage.sidecar();
    const issued = await issue(request(dns(freshName()), { profile: { name, isRequired: true } }));
    const lifetimeS = lifetimeMs(readLeaf(issued.certificatePem).validity) / 1000;
    expect(Math.abs(lifetimeS - LIFETIMES_S[name])).toBeLessThanOrEqual(1);
  });

  test("that the CA doesn't have is refused before there is an account", async () => {
    const { issue, accounts, events } = await stage.sidecar();
    const error = await failureOf(issue(request(dns(freshName()), { profile: { name: "eternal", isRequired: true } })));
    expect(error.code).toBe("ACME_PROFILE_NOT_OFFERED");
    expect(error.message).toMatch(/it has (long, short|short, long)/);
    expect(await accounts.find(stage.ca.directoryUrl)).toBeUndefined();
    expect(events()).toEqual([]);
    expect(stage.ca.passed.filter(({ method }) => method === "POST")).toEqual([]);
  });

  test("that is only preferred is done without", async () => {
    const { issue, events } = await stage.sidecar();
    await issue(request(dns(freshName()), { profile: { name: "eternal", isRequired: false } }));
    expect(events()).toContain("profile.not-offered");
  });
});

describe("a preferred chain", () => {
  const rootNameOf = async (index: number) => {
    const root = new X509Certificate(await stage.pebble.issuingRootPem(index));
    return String(root.toLegacyObject().subject.CN);
  };
  const isIssuedByRoot = async ({ chainPem }: IssuedCertificate, index: number) =>
    new X509Certificate(chainPem).checkIssued(new X509Certificate(await stage.pebble.issuingRootPem(index)));

  test("is chosen by the name of its root", async () => {
    const { issue, events } = await stage.sidecar();
    for (const index of [0, 1, 2]) {
      const issued = await issue(request(dns(freshName()), { preferredChain: await rootNameOf(index) }));
      expect(await isIssuedByRoot(issued, index), `root ${index}`).toBe(true);
    }
    expect(events()).not.toContain("chain.not-offered");
  });

  test("is chosen by the fingerprint of a certificate in it", async () => {
    const { issue } = await stage.sidecar();
    const byName = await issue(request(dns(freshName()), { preferredChain: await rootNameOf(2) }));
    const { fingerprint256 } = new X509Certificate(byName.chainPem);
    const issued = await issue(request(dns(freshName()), { preferredChain: fingerprint256 }));
    expect(await isIssuedByRoot(issued, 2)).toBe(true);
  });

  test("that the CA doesn't have is named beside those that it has", async () => {
    const { issue, lines } = await stage.sidecar();
    const issued = await issue(request(dns(freshName()), { preferredChain: "ISRG Root X1" }));
    expect(await isIssuedByRoot(issued, 0)).toBe(true);
    const told = lines.find(({ event }) => event === "chain.not-offered");
    expect(new Set(told?.fields["offered"] as string[])).toEqual(
      new Set([await rootNameOf(0), await rootNameOf(1), await rootNameOf(2)]),
    );
  });
});

test("a key is used again when it is given", async () => {
  const { issue } = await stage.sidecar();
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const privateKeyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  const issued = await issue(request(dns(freshName()), { privateKeyPem, keyType: "ecdsa-p256" }));
  expect(issued.privateKeyPem).toBe(privateKeyPem);
  expect(new X509Certificate(issued.certificatePem).publicKey.equals(createPublicKey(key))).toBe(true);
});

test("an IPv4 address and a name share a certificate", async () => {
  const { issue } = await stage.sidecar();
  const identifiers: Identifier[] = [...dns(freshName()), { type: "ip", value: stage.pebble.hostAddress }];
  const issued = await issue(request(identifiers));
  expect(new Set(readLeaf(issued.certificatePem).identifiers)).toEqual(new Set(identifiers));
});

test("a probe finds the CA answering, and its clock right", async () => {
  const { authority } = await stage.sidecar();
  expect(await authority.isAnswering(stage.ca.directoryUrl, live())).toBe(true);
  expect(Math.abs(authority.clockAheadMs() ?? Infinity)).toBeLessThan(30_000);
});
