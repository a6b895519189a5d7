import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSigningRequest } from "../../../src/acme/signing-request.ts";
import { type OperatorError, parseIdentifier } from "../../../src/certificate/index.ts";
import { type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { readSigningRequest } from "../../support/read-csr.ts";
import { happyEnd, runOrder } from "../../support/scripted-order.ts";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
afterAll(() => server.stop());

/** What the openssl command makes of a request, an independent reader. */
function readWithOpenssl(csr: string, ...options: readonly string[]): string {
  const input = Buffer.from(csr, "base64url");
  const { stdout, stderr } = spawnSync("openssl", ["req", "-inform", "der", "-noout", "-verify", ...options], {
    input,
  });
  // Its exit code says nothing of that.
  expect(stdout.toString() + stderr.toString()).toContain("verify OK");
  return stdout.toString();
}

test("names and addresses of both kinds are in the request, the common name is not", async () => {
  const names = ["a.test", "*.b.test", "192.0.2.7", "2001:DB8:0:0:0:0:0:1", "::1", "::ffff:192.0.2.1"];
  const identifiers = names.map((name) => parseIdentifier(name));
  const { csr } = await createSigningRequest({ identifiers, keyType: "ecdsa-p256" });
  const text = readWithOpenssl(csr, "-text");
  expect(text).toContain(
    "DNS:a.test, DNS:*.b.test, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1, " +
      "IP Address:0:0:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:C000:201",
  );
  expect(text).toMatch(/Subject:\s*$/m);
  expect(text).toMatch(/X509v3 Key Usage: *\n *Digital Signature, Key Encipherment\n/);
});

test.each([1, 5, 9, 100, 3000])(
  "a request of %i names is one that another program reads and verifies",
  async (count) => {
    // Lengths below 128, 256 and 65536 bytes, and above, are each written in another way.
    const names = Array.from({ length: count }, (_, index) => `name-${index}.a.test`);
    const identifiers = names.map((name) => parseIdentifier(name));
    const { csr } = await createSigningRequest({ identifiers, keyType: "ecdsa-p256" });
    const text = readWithOpenssl(csr, "-text");
    expect(text).toContain(`  ${names.map((name) => `DNS:${name}`).join(", ")}\n`);
    expect(readSigningRequest(Buffer.from(csr, "base64url")).names).toEqual(names);
  },
);

const SEC1 = { type: "sec1", format: "pem" } as const;

test.each([
  ["P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(SEC1)],
  ["P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export(SEC1)],
  [
    "RSA",
    () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }),
  ],
])("a key that is used again stays what it is, %s, whatever type new ones have", async (_name, makeKey) => {
  const pem = makeKey().toString();
  const key = createPrivateKey(pem);
  const identifiers = [parseIdentifier("a.test")];
  const request = await createSigningRequest({ identifiers, keyType: "rsa-4096" }, key);
  expect(createPrivateKey(request.privateKeyPem).equals(key)).toBe(true);
  expect(createPublicKey(readWithOpenssl(request.csr, "-pubkey")).equals(createPublicKey(key))).toBe(true);
});

test.each(["ecdsa-p256", "ecdsa-p384", "rsa-2048"] as const)(
  "a new key of the type %s signs its request",
  async (keyType) => {
    const request = await createSigningRequest({ identifiers: [parseIdentifier("a.test")], keyType });
    const key = createPrivateKey(request.privateKeyPem);
    expect(createPublicKey(readWithOpenssl(request.csr, "-pubkey")).equals(createPublicKey(key))).toBe(true);
  },
);

test.each([
  ["nothing that can be read", () => "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
  [
    "of a type that CAs don't sign",
    () => generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  ],
])("a key to be used again that is %s is refused before the CA hears of it", async (_what, makeKey) => {
  server.forget();
  const { outcome } = await runOrder(server, happyEnd(server, server.caPem), { privateKeyPem: makeKey() });
  expect(outcome).toMatchObject({ code: "ACME_KEY_NOT_REUSABLE", origin: "here" });
  expect((outcome as OperatorError).message).toContain("The key of a.test can't be used");
  expect(server.requests).toEqual([]);
});

test("an order uses the key that it is given", async () => {
  const key = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const privateKeyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  const { issued } = await runOrder(server, happyEnd(server, server.caPem), { privateKeyPem });
  expect(issued?.privateKeyPem).toBe(privateKeyPem);
  const sent = server.posts().find(({ path }) => path === "/finalize")?.payload as { csr: string };
  expect(createPublicKey(readWithOpenssl(sent.csr, "-pubkey")).equals(createPublicKey(key))).toBe(true);
});
