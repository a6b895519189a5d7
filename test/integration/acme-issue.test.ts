import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { accountIdOf, type Identifier, isKeyOf, type KeyType, readLeaf } from "../../src/certificate/index.ts";
import { acmeStage, dns, freshName } from "../support/acme-stage.ts";

const stage = acmeStage();

/** What passed the CA's door, without what is pure chance: refused nonces, and polls that were answered "pending" again. */
function countedRequests() {
  const accepted = stage.ca.passed.filter(({ body }) => !body.includes("error:badNonce"));
  return accepted.filter(({ path, body }, index) => {
    const isPending = /"status": *"(pending|processing)"/.test(body);
    return !(isPending && accepted.slice(0, index).some((earlier) => earlier.path === path));
  });
}

const methods = () => countedRequests().map(({ method }) => method);
const proofsLeft = () => readdir(stage.webroot);

describe("a certificate", () => {
  test("is issued with a new account, and everything fits together", async () => {
    const name = freshName();
    const { issue, accounts, events } = await stage.sidecar();
    const issued = await issue(stage.request(dns(name), { email: "ops@name.test" }));
    expect(readLeaf(issued.certificatePem).identifiers).toEqual(dns(name));
    expect(isKeyOf(issued.certificatePem, issued.privateKeyPem)).toBe(true);
    expect(issued.certificatePem.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect(issued.certificatePem.endsWith("-----END CERTIFICATE-----\n")).toBe(true);
    const leaf = new X509Certificate(issued.certificatePem);
    const issuer = new X509Certificate(issued.chainPem);
    expect(leaf.checkIssued(issuer)).toBe(true);
    expect(issuer.checkIssued(new X509Certificate(await stage.pebble.issuingRootPem()))).toBe(true);
    const account = await accounts.find(stage.ca.directoryUrl);
    expect(account?.id).toBe(issued.accountId);
    expect(account && accountIdOf(account.privateKeyPem)).toBe(issued.accountId);
    expect(events()).toEqual([
      "account.registered",
      "order.created",
      "challenge.presented",
      "self-check.passed",
      "challenge.validated",
      "order.finalized",
    ]);
    expect(await proofsLeft()).toEqual([]);
  });

  test("can carry several names, and an address", async () => {
    const { issue } = await stage.sidecar();
    const names = dns(freshName(), freshName(), freshName());
    const byName = await issue(stage.request(names));
    expect(new Set(readLeaf(byName.certificatePem).identifiers)).toEqual(new Set(names));
    const address: Identifier[] = [{ type: "ip", value: stage.pebble.hostAddress }];
    const byAddress = await issue(stage.request(address));
    expect(readLeaf(byAddress.certificatePem).identifiers).toEqual(address);
    expect(await proofsLeft()).toEqual([]);
  });

  test.each<[KeyType, object]>([
    ["ecdsa-p384", { asymmetricKeyType: "ec", asymmetricKeyDetails: { namedCurve: "secp384r1" } }],
    ["rsa-2048", { asymmetricKeyType: "rsa", asymmetricKeyDetails: { modulusLength: 2048, publicExponent: 65537n } }],
  ])("has a key of type %s when asked for", async (keyType, details) => {
    const { issue } = await stage.sidecar();
    const issued = await issue(stage.request(dns(freshName()), { keyType }));
    expect(createPrivateKey(issued.privateKeyPem)).toMatchObject(details);
    expect(isKeyOf(issued.certificatePem, issued.privateKeyPem)).toBe(true);
  });

  test("is issued although the self-check fails: it is advice", async () => {
    const finding = { message: "nginx answered 404", remedy: "Mount the webroot." };
    const { issue, lines } = await stage.sidecar(() => ({ selfCheck: async () => finding }));
    await issue(stage.request(dns(freshName())));
    const line = lines.find(({ event }) => event === "self-check.failed");
    expect(line).toMatchObject({ level: "warn", fields: finding });
  });
});

describe("requests to the CA", () => {
  test("a first issue takes at most 8 with a known account, a renewal at most 5, neither a HEAD", async () => {
    const { issue, events } = await stage.sidecar();
    await issue(stage.request(dns(freshName())));
    const name = freshName();
    stage.ca.forget();
    await issue(stage.request(dns(name)));
    expect(methods()).toEqual(Array(7).fill("POST"));

    stage.ca.forget();
    await issue(stage.request(dns(name)));
    expect(methods()).toEqual(Array(4).fill("POST"));
    expect(events()).toContain("authorization.reused");
  });

  test("a name that is still valid is not asked for again beside a new one", async () => {
    const { issue, lines } = await stage.sidecar();
    const [known, added] = [freshName(), freshName()];
    await issue(stage.request(dns(known)));
    stage.ca.forget();
    await issue(stage.request(dns(known, added)));
    const reused = lines.filter(({ event }) => event === "authorization.reused");
    expect(reused.map(({ fields }) => fields["name"])).toEqual([known]);
    // One authorization more to look at than for a single name.
    expect(methods().filter((method) => method === "POST")).toHaveLength(8);
  });

  test("eight orders at the same time are all issued by one new account", async () => {
    const { issue, events } = await stage.sidecar();
    const all = Array.from({ length: 8 }, () => issue(stage.request(dns(freshName()))));
    const issued = await Promise.all(all);
    expect(new Set(issued.map((one) => one.accountId)).size).toBe(1);
    expect(events().filter((event) => event === "account.registered")).toHaveLength(1);
    expect(await proofsLeft()).toEqual([]);
  });
});

describe("an answer of the CA that is lost on its way", () => {
  test.each([
    ["a new account", "sign-me-up"],
    ["a new order", "order-plz"],
    ["a challenge", "chalZ"],
    ["a finalized order", "finalize-order"],
  ])("to %s is no reason to fail", async (_what, path) => {
    const { issue, events, lines } = await stage.sidecar();
    stage.ca.loseAnswer(path);
    const name = freshName();
    const issued = await issue(stage.request(dns(name)));
    expect(readLeaf(issued.certificatePem).identifiers).toEqual(dns(name));
    expect(events().filter((event) => event === "request.repeated")).toHaveLength(1);
    expect(lines.find(({ event }) => event === "request.repeated")?.fields["code"]).toBe("ACME_UNREACHABLE");
  });
});
