import { generateKeyPairSync } from "node:crypto";
import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { createCa } from "../../src/acme/ca.ts";
import { connect } from "../../src/acme/connection.ts";
import { ChallengeFailedError } from "../../src/acme/index.ts";
import { accountIdOf } from "../../src/certificate/index.ts";
import { createTransport } from "../../src/acme/transport.ts";
import type { Account, AccountStore } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { acmeStage, dns, failureOf, freshName } from "../support/acme-stage.ts";
import { networkOf } from "../support/network.ts";
import { collectLog } from "../support/collected-log.ts";
import { byWebroot } from "../support/challenges.ts";

const stage = acmeStage();

const live = () => new AbortController().signal;
const proofsLeft = () => readdir(stage.webroot);
const deactivated = () => stage.ca.passed.filter(({ body }) => /"status": *"deactivated"/.test(body)).length;

describe("a proof that the CA doesn't find", () => {
  test("is told with the name, the CA's words and what to do, and leaves nothing behind", async () => {
    const [good, wrong] = [freshName(), freshName()];
    const { issue } = await stage.sidecar((solver) => ({
      present: async (proof, signal) => {
        if (proof.identifier.value !== wrong) await solver.present(proof, signal);
      },
    }));
    const error = await failureOf(issue(stage.request(dns(good, wrong))));
    expect(error).toBeInstanceOf(ChallengeFailedError);
    expect(error.message).toMatch(new RegExp(`could not verify ${wrong}: .*404`));
    expect(error.message).not.toContain(good);
    expect(error.code).toBe("ACME_CHALLENGE_WRONG_ANSWER");
    expect(await proofsLeft()).toEqual([]);
  });

  test("for several names names them all", async () => {
    const names = [freshName(), freshName()];
    const { issue } = await stage.sidecar(() => ({ present: async () => undefined }));
    const error = await failureOf(issue(stage.request(dns(...names))));
    for (const name of names) expect(error.message).toContain(`${name}: `);
  });

  test("because the name doesn't resolve, is told in the CA's words, with what to look at", async () => {
    const name = freshName();
    await stage.pebble.setServfail(name);
    const { issue } = await stage.sidecar();
    const error = await failureOf(issue(stage.request(dns(name))));
    // Pebble calls it "connection" where Let's Encrypt says "dns"; its words are passed on as they are.
    expect(error.message).toMatch(new RegExp(`could not verify ${name}: .*could not resolve`));
    expect(error.remedy).toContain("A and AAAA records");
  });

  test("because port 80 is closed there, is a matter of reaching it", async () => {
    const name = freshName();
    await stage.pebble.setAddress(name, "127.0.0.1"); // Pebble's own container: nothing listens there
    const { issue } = await stage.sidecar();
    const error = await failureOf(issue(stage.request(dns(name))));
    expect(error.code).toBe("ACME_CHALLENGE_UNREACHABLE");
    expect(error.remedy).toContain("port 80");
  });

  test("because it can't be written, gives the order's authorizations up", async () => {
    const { issue } = await stage.sidecar();
    const challenges = byWebroot(`${stage.webroot}/missing`);
    const error = await failureOf(issue(stage.request(dns(freshName(), freshName()), { challenges })));
    expect(error.code).toBe("CHALLENGE_WEBROOT");
    expect(deactivated()).toBe(2);
  });

  test("because we were told to stop, gives the authorizations up and ends with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    let asked = 0;
    const { issue } = await stage.sidecar(() => ({
      selfCheck: async () => {
        controller.abort(reason);
        asked = stage.ca.passed.length;
        return undefined;
      },
    }));
    await expect(issue(stage.request(dns(freshName())), controller.signal)).rejects.toBe(reason);
    expect(deactivated()).toBe(1);
    // Nothing else was asked: neither for the proof nor for the order.
    const later = stage.ca.passed.slice(asked).filter(({ path, status }) => status < 400 && path !== "/nonce-plz");
    expect(later.map(({ path }) => path)).toEqual([expect.stringContaining("/authZ/")]);
    expect(await proofsLeft()).toEqual([]);
  });
});

describe("the account", () => {
  const newKey = () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  };
  const keep = (accounts: AccountStore, account: Account) =>
    accounts.save(stage.ca.directoryUrl, account, { createdAt: new Date() });

  test("that the CA has never seen is set aside and replaced", async () => {
    const { issue, accounts, events } = await stage.sidecar();
    const privateKeyPem = newKey();
    const url = new URL("/my-account/nobody", stage.ca.directoryUrl).href;
    await keep(accounts, { id: accountIdOf(privateKeyPem), privateKeyPem, url });
    const issued = await issue(stage.request(dns(freshName())));
    expect(events()).toContain("account.replaced");
    expect(issued.accountId).not.toBe(accountIdOf(privateKeyPem));
    expect((await accounts.find(stage.ca.directoryUrl))?.id).toBe(issued.accountId);
  });

  test("that was deactivated is replaced once, by however many orders meet the refusal", async () => {
    const { issue, accounts, events } = await stage.sidecar();
    await issue(stage.request(dns(freshName())));
    const old = await accounts.find(stage.ca.directoryUrl);
    if (old === undefined) throw new Error("no account was kept");
    await deactivate(old);
    const issued = await Promise.all([issue(stage.request(dns(freshName()))), issue(stage.request(dns(freshName())))]);
    expect(new Set(issued.map((one) => one.accountId)).size).toBe(1);
    expect(issued[0]?.accountId).not.toBe(old.id);
    expect(events().filter((event) => event === "account.registered")).toHaveLength(2);
  });

  test("of an RSA key, as older certbots made it, works as it is", async () => {
    const { issue, accounts, events } = await stage.sidecar();
    const privateKeyPem = newKey();
    const url = await register(privateKeyPem);
    await keep(accounts, { id: accountIdOf(privateKeyPem), privateKeyPem, url });
    const issued = await issue(stage.request(dns(freshName())));
    expect(issued.accountId).toBe(accountIdOf(privateKeyPem));
    expect(events()).not.toContain("account.registered");
  });

  test("that a lineage was issued with is preferred to newer ones", async () => {
    const { issue, accounts } = await stage.sidecar();
    const keys = [newKey(), newKey()];
    for (const privateKeyPem of keys) {
      await keep(accounts, { id: accountIdOf(privateKeyPem), privateKeyPem, url: await register(privateKeyPem) });
    }
    const ids = keys.map((key) => accountIdOf(key));
    for (const id of ids) {
      const issued = await issue(stage.request(dns(freshName()), { accountId: id }));
      expect(issued.accountId).toBe(id);
    }
  });

  test("of a rehearsal is kept nowhere, and each rehearsal proves its names again", async () => {
    const { issue, accounts, events } = await stage.sidecar();
    const request = stage.request(dns(freshName()), { account: "throw-away" });
    stage.ca.forget();
    await issue(request);
    await issue(request);
    expect(await accounts.find(stage.ca.directoryUrl)).toBeUndefined();
    expect(events().filter((event) => event === "challenge.validated")).toHaveLength(2);
    // Both are rehearsed with one account, of which nobody is told: it is nothing that an operator has.
    const registered = stage.ca.passed.filter(({ path, status }) => path.endsWith("/sign-me-up") && status === 201);
    expect(registered).toHaveLength(1);
    expect(events()).not.toContain("account.registered");
  });

  const open = (signer: { privateKeyPem: string; url?: string }) => {
    const transport = createTransport(networkOf(stage.ca.caPem).http, 10_000);
    const shared = createCa(stage.ca.directoryUrl, transport, systemClock);
    return connect(shared, signer, { log: collectLog(), signal: live() });
  };
  const deactivate = async (account: Account) => {
    await (await open(account)).post("deactivate", account.url, { status: "deactivated" });
  };
  const register = async (privateKeyPem: string) => {
    const connection = await open({ privateKeyPem });
    const answer = await connection.post("register", ({ newAccount }) => newAccount, { termsOfServiceAgreed: true });
    return answer.location ?? "";
  };
});
