import { createPublicKey, createVerify, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createCertificateAuthority } from "../../../src/acme/index.ts";
import { accountIdOf, type OperatorError } from "../../../src/certificate/index.ts";
import type { Account } from "../../../src/reconcile/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { failureOf } from "../../support/acme-stage.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { networkOf } from "../../support/network.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let server: ScriptedCa;
let root: string;
let accounts: ReturnType<typeof createAccountStore>;
let account: Account;

beforeAll(async () => {
  server = await startScriptedCa();
});
afterAll(() => server.stop());

beforeEach(async () => {
  server.forget();
  server.offer({ keyChange: "keyChange" });
  root = await temporaryFolder();
  accounts = createAccountStore({ root });
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  account = { id: accountIdOf(privateKeyPem), privateKeyPem, url: `${server.origin}/account` };
  await accounts.save(server.directoryUrl, account, { createdAt: new Date() });
});

function changeKey() {
  const authority = createCertificateAuthority({
    accounts,
    solverFor: () => {
      throw new Error("no proof is wanted");
    },
    clock: instantClock(),
    ...networkOf(server.caPem),
  });
  const choice = { directoryUrl: server.directoryUrl };
  return authority.changeAccountKey(choice, collectLog(), new AbortController().signal);
}

/** Tries at a CA that answers the change, and whoever asks for the account with the new key, like this. */
async function refused(change: ScriptedAnswer, shown: ScriptedAnswer): Promise<OperatorError> {
  server.answerPosts(({ path }) => (path === "/keyChange" ? change : shown));
  return failureOf(changeKey());
}

const UNKNOWN_KEY = problemAnswer(400, "malformed", "JWS verification error");
const pending = () => accounts.pendingKeyChanges(server.directoryUrl);

test("a change says what RFC 8555 §7.3.5 wants, signed by the new key inside", async () => {
  const { account: changed } = await changeKey();
  const [post] = server.posts();
  const inner = post?.payload as { protected: string; payload: string; signature: string };
  const [header, payload] = [inner.protected, inner.payload].map(
    (part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>,
  );
  expect(post?.path).toBe("/keyChange");
  expect(header).toEqual({ alg: "ES256", jwk: expect.anything(), url: `${server.origin}/keyChange` });
  const oldKey = createPublicKey(account.privateKeyPem).export({ format: "jwk" });
  expect(payload).toEqual({ account: account.url, oldKey });
  const key = createPublicKey({ key: header?.["jwk"] as JsonWebKey, format: "jwk" });
  const isSigned = createVerify("sha256")
    .update(`${inner.protected}.${inner.payload}`)
    .verify({ key, dsaEncoding: "ieee-p1363" }, inner.signature, "base64url");
  expect(isSigned).toBe(true);
  expect(key.equals(createPublicKey(changed.privateKeyPem))).toBe(true);
});

test("a change that the CA refuses leaves the old key, says the CA's words, and is forgotten", async () => {
  const conflict = problemAnswer(409, "malformed", "New key is already in use for a different account");
  const error = await refused(conflict, UNKNOWN_KEY);
  expect(error.message).toContain(account.url);
  expect(error.message).toContain("already in use");
  expect(await accounts.find(server.directoryUrl)).toEqual(account);
  expect(await pending()).toEqual([]);
});

test("a change at which the CA fails stays pending, and the next try asks for the same key", async () => {
  const failing = { status: 500, body: "<p>oops</p>" };
  expect((await refused(failing, failing)).code).toBe("ACME_CA_FAILING");
  const [known] = await pending();
  server.answerPosts(({ path }) =>
    // What the CA says of the account leaves open whose key it is.
    path === "/keyChange" ? { status: 200 } : problemAnswer(403, "userActionRequired", "agree to the new terms"),
  );
  expect(await changeKey()).toEqual(known);
  expect(await pending()).toEqual([]);
  expect(await readdir(join(root, "accounts", "key-change", new URL(server.origin).host, "directory"))).toEqual([]);
});

test("a change that the CA may still be at work on stays pending, though it doesn't know the new key yet", async () => {
  const error = await refused({ status: 500, body: "<p>oops</p>" }, UNKNOWN_KEY);
  expect(error.code).toBe("ACME_CA_FAILING");
  expect(await pending()).toHaveLength(1);
});

test("a CA without keyChange is told apart from one that refuses", async () => {
  server.offer({});
  const error = await failureOf(changeKey());
  expect(error.code).toBe("ACME_KEY_CHANGE_NOT_OFFERED");
  expect([server.posts(), await pending()]).toEqual([[], []]);
});
