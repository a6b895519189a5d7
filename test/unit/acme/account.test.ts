import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCertificateAuthority } from "../../../src/acme/index.ts";
import { accountIdOf } from "../../../src/certificate/index.ts";
import type { Account, IssueRequest } from "../../../src/reconcile/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { failureOf } from "../../support/acme-stage.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { networkOf } from "../../support/network.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { dyingFiles, failingFiles } from "../../support/stepped-files.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";
import { byWebroot } from "../../support/challenges.ts";

const EXTERNAL = { keyId: "kid-1", hmacKey: randomBytes(32).toString("base64url") };

const CLOCK_START = new Date("2026-06-01T00:00:00Z");

let server: ScriptedCa;
let root: string;

beforeAll(async () => {
  server = await startScriptedCa();
});
afterAll(() => server.stop());

beforeEach(async () => {
  server.forget();
  server.offer({});
  root = await folderInMemory();
});

/** What a CA answers at the end of every story here: the account was fine. */
const NOT_SIGNED = problemAnswer(400, "rejectedIdentifier", "we sign nothing for a.test");
const UNKNOWN = problemAnswer(400, "accountDoesNotExist", "no such account");

type Answering = {
  readonly newAccount?: (count: number, payload: Record<string, unknown>) => ScriptedAnswer;
  readonly newOrder?: (account: string) => ScriptedAnswer;
  readonly account?: (url: string) => ScriptedAnswer;
};

/** A CA that registers everybody under /account/1, /account/2, …, and signs nothing, unless it is told otherwise. */
function answer({ newAccount, newOrder, account }: Answering = {}): void {
  let count = 0;
  server.answerPosts(({ path, body }) => {
    const { header, payload } = takeApart(body);
    if (path === "/newAccount") return newAccount?.((count += 1), payload) ?? registered((count += 1));
    if (path === "/newOrder") return newOrder?.(String(header["kid"]).replace(server.origin, "")) ?? NOT_SIGNED;
    return account?.(path) ?? { status: 200, body: { status: "valid" } };
  });
}

const registered = (count: number): ScriptedAnswer => {
  return { status: 201, headers: { Location: `${server.origin}/account/${count}` }, body: { status: "valid" } };
};

function takeApart(body: string) {
  const jws = JSON.parse(body) as { protected: string; payload: string };
  const [header = {}, payload = {}] = [jws.protected, jws.payload].map(
    (part) => JSON.parse(Buffer.from(part, "base64url").toString() || "{}") as Record<string, unknown>,
  );
  return { header, payload };
}

const registrations = () =>
  server.requests.filter(({ path }) => path === "/newAccount").map(({ body }) => takeApart(body));
const registeredKeys = () => new Set(registrations().map(({ header }) => JSON.stringify(header["jwk"])));
const accountFolders = () => readdir(join(root, "accounts", new URL(server.origin).host, "directory"));

/** A process of ours on the tree; each order of it ends with an error. */
function sidecar(fs?: Parameters<typeof createAccountStore>[0]["fs"]) {
  const log = collectLog();
  const authority = createCertificateAuthority({
    accounts: createAccountStore({ root, fs }),
    solverFor: () => {
      throw new Error("no proof is wanted");
    },
    clock: instantClock(CLOCK_START),
    ...networkOf(server.caPem),
  });
  const order = (more: Partial<IssueRequest> = {}) => {
    const names = { lineage: "a.test", identifiers: [{ type: "dns", value: "a.test" }] } as const;
    const kind = { keyType: "ecdsa-p256", account: "stored", challenges: byWebroot() } as const;
    const request = { ...names, ...kind, directoryUrl: server.directoryUrl, ...more };
    return failureOf(authority.issue(request, log, new AbortController().signal));
  };
  const { directoryUrl } = server;
  const open = () =>
    authority.openAccount({ directoryUrl, externalAccount: EXTERNAL }, log, new AbortController().signal);
  return { order, open, events: () => log.lines.map(({ event }) => event) };
}

/** Keeps an account at `path`; the later ones are newer. */
async function keepAccount(path: string, ageDays: number): Promise<Account> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const account = { id: accountIdOf(privateKeyPem), privateKeyPem, url: `${server.origin}${path}` };
  const createdAt = new Date(Date.now() - ageDays * 24 * 3600 * 1000);
  await createAccountStore({ root }).save(server.directoryUrl, account, { createdAt });
  return account;
}

describe("a registration", () => {
  test.each([
    { what: "died at any call", makeFiles: dyingFiles },
    { what: "failed to keep what it got", makeFiles: (at: number) => failingFiles(at, "ENOSPC") },
  ])("that $what is repeated with the same key, which certbot doesn't see", async ({ makeFiles }) => {
    answer();
    for (let at = 1; ; at += 1) {
      server.forget();
      root = await folderInMemory();
      const files = makeFiles(at);
      await sidecar(files.fs).order();
      const isOver = ("diedIn" in files ? files.diedIn() : files.failedIn()) === undefined;
      const folders = await accountFolders().catch(() => []);
      const wasKept = folders.length > 0;
      const wasAsked = registrations().length > 0;
      const error = await sidecar().order();
      expect({ at, code: error.code }).toEqual({ at, code: "ACME_REJECTED_IDENTIFIER" });
      expect({ at, keys: registeredKeys().size }).toEqual({ at, keys: 1 });
      expect(registrations()).toHaveLength(wasAsked && !wasKept ? 2 : 1);
      // Nothing is left to be registered another time.
      expect(await createAccountStore({ root }).pendingRegistration(server.directoryUrl)).toBeUndefined();
      if (isOver) break;
    }
  });

  test("goes before any order where an account is only to be there, and is asked for once", async () => {
    server.offer({ meta: { externalAccountRequired: true } });
    answer();
    await sidecar().open();
    expect([registrations().length, (await accountFolders()).length]).toEqual([1, 1]);
    server.forget();
    await sidecar().open();
    expect(registrations()).toEqual([]);
  });

  test("that is refused, with no order asked for, says so as with one", async () => {
    server.offer({ meta: { externalAccountRequired: true } });
    answer({ newAccount: () => problemAnswer(403, "unauthorized", "the binding has expired") });
    await expect(sidecar().open()).rejects.toMatchObject({ code: "ACME_EXTERNAL_ACCOUNT_REFUSED" });
  });

  test("for a rehearsal keeps nothing on the disk", async () => {
    answer();
    await sidecar().order({ account: "throw-away" });
    expect(registrations()).toHaveLength(1);
    expect(await readdir(root)).toEqual([]);
  });

  test("takes an account whose address is told relative to the CA's", async () => {
    answer({ newAccount: () => ({ status: 201, headers: { Location: "/account/7" } }) });
    const error = await sidecar().order();
    expect(error.code).toBe("ACME_REJECTED_IDENTIFIER");
    expect((await createAccountStore({ root }).find(server.directoryUrl))?.url).toBe(`${server.origin}/account/7`);
  });
});

describe("orders that come at the same time", () => {
  const threeAt = ({ order }: ReturnType<typeof sidecar>) => Promise.all([order(), order(), order()]);
  const codes = (errors: Awaited<ReturnType<typeof threeAt>>) => errors.map(({ code }) => code);
  const fine = "ACME_REJECTED_IDENTIFIER";

  test("register one account, though the CA fails at the first", async () => {
    answer({ newAccount: (count) => (count <= 3 ? { status: 500, body: "" } : registered(count)) });
    expect(codes(await threeAt(sidecar()))).toEqual(["ACME_CA_FAILING", fine, fine]);
    expect([registrations().length, (await accountFolders()).length]).toEqual([4, 1]);
  });

  test("are refused by one registration that the CA refuses, which is our own reason to wait a day", async () => {
    answer({ newAccount: (count) => (count === 1 ? problemAnswer(400, "malformed", "not today") : registered(count)) });
    const { order, ...rest } = sidecar();
    const refused = await threeAt({ order, ...rest });
    expect(codes(refused)).toEqual(Array(3).fill("ACME_MALFORMED"));
    expect(registrations()).toHaveLength(1);
    const aDayLater = new Date(CLOCK_START.getTime() + 24 * 3600_000);
    expect(refused[0]?.retry).toEqual({ notBefore: aDayLater, isOurs: true });
    expect((await order()).code).toBe(fine);
  });

  test("wait as long as the CA asks, where it does", async () => {
    answer({ newAccount: () => problemAnswer(429, "rateLimited", "too many", { "Retry-After": "3600" }) });
    const [error] = await threeAt(sidecar());
    expect(error?.retry).toEqual({ notBefore: new Date(CLOCK_START.getTime() + 3600_000), scope: { kind: "account" } });
  });
});

describe("an external account", () => {
  test.each([
    [403, "unauthorized"],
    [400, "malformed"],
    [403, "externalAccountRequired"],
  ])("that the CA refuses with %i %s is to be made anew at its website", async (status, type) => {
    server.offer({ meta: { externalAccountRequired: true } });
    answer({ newAccount: () => problemAnswer(status, type, "the binding is used up") });
    const error = await sidecar().order({ externalAccount: EXTERNAL });
    expect(error.code).toBe("ACME_EXTERNAL_ACCOUNT_REFUSED");
    expect(error.message).toContain("the binding is used up");
    expect(error.remedy).toMatch(/fresh key id and HMAC key.*CERTBOT_EAB_KID and CERTBOT_EAB_HMAC_KEY/);
    expect(`${error.message}${error.remedy}`).not.toContain(EXTERNAL.hmacKey);
  });

  test("is not blamed for a refusal that has nothing to do with it", async () => {
    server.offer({ meta: { externalAccountRequired: true } });
    answer({ newAccount: () => problemAnswer(400, "invalidContact", "no such domain") });
    expect((await sidecar().order({ externalAccount: EXTERNAL })).code).toBe("ACME_BAD_CONTACT");
  });

  const onlyBound = (_count: number, payload: Record<string, unknown>) =>
    payload["externalAccountBinding"] === undefined
      ? problemAnswer(400, "externalAccountRequired", "bind your account")
      : registered(1);

  test("is told to a CA that wants one, though its directory doesn't say so, at the second try", async () => {
    answer({ newAccount: onlyBound });
    const error = await sidecar().order({ externalAccount: EXTERNAL });
    expect(error.code).toBe("ACME_REJECTED_IDENTIFIER");
    expect([registrations().length, registeredKeys().size]).toEqual([2, 1]);
  });

  test("that isn't set is asked for in the CA's own words", async () => {
    answer({ newAccount: onlyBound });
    const error = await sidecar().order();
    expect(error.code).toBe("ACME_EXTERNAL_ACCOUNT_REQUIRED");
    expect(error.message).toContain("bind your account");
    expect(registrations()).toHaveLength(1);
  });

  test.each([true, false])("is not spent on a rehearsal (announced: %s)", async (externalAccountRequired) => {
    server.offer({ meta: { externalAccountRequired } });
    answer({ newAccount: onlyBound });
    const error = await sidecar().order({ account: "throw-away", externalAccount: EXTERNAL });
    expect(error.code).toBe("ACME_REHEARSAL_NEEDS_ACCOUNT");
    expect(error.message).toContain(server.directoryUrl);
    expect(registrations().filter(({ payload }) => "externalAccountBinding" in payload)).toEqual([]);
    expect(server.posts()).toHaveLength(externalAccountRequired ? 0 : 1);
  });
});

describe("an account that the CA refuses", () => {
  const refusing = (...paths: readonly string[]): Answering => ({
    newOrder: (path) => (paths.includes(path) ? UNKNOWN : NOT_SIGNED),
    account: (path) => (paths.includes(path) ? UNKNOWN : { status: 200, body: { status: "valid" } }),
  });

  test("gives way to the newest other one on the disk, before another is registered", async () => {
    const refused = await keepAccount("/account/a", 3);
    await keepAccount("/account/b", 2);
    const newest = await keepAccount("/account/c", 1);
    answer(refusing("/account/a"));
    const { order, events } = sidecar();
    await order({ accountId: refused.id });
    expect([events().includes("account.replaced"), registrations()]).toEqual([true, []]);
    expect((await createAccountStore({ root }).find(server.directoryUrl, refused.id))?.id).toBe(newest.id);
  });

  test("stays where it is while no other can be registered", async () => {
    const refused = await keepAccount("/account/a", 1);
    answer({ ...refusing("/account/a"), newAccount: () => problemAnswer(400, "malformed", "not today") });
    const { order } = sidecar();
    await order({ accountId: refused.id });
    expect([registrations().length, await accountFolders()]).toEqual([1, [refused.id]]);
    answer(refusing("/account/a"));
    expect((await order({ accountId: refused.id })).code).toBe("ACME_REJECTED_IDENTIFIER");
    expect(await accountFolders()).not.toContain(refused.id);
  });

  test("is replaced by one registration, however many on the disk are refused", async () => {
    const [first, second] = [await keepAccount("/account/a", 2), await keepAccount("/account/b", 1)];
    answer(refusing("/account/a", "/account/b"));
    const { order } = sidecar();
    for (const { id } of [first, second, first]) {
      expect((await order({ accountId: id })).code).toBe("ACME_REJECTED_IDENTIFIER");
    }
    expect(registrations()).toHaveLength(1);
    expect(await accountFolders()).toHaveLength(1);
  });

  test("is used again when an operator has put it back", async () => {
    const [first, second] = [await keepAccount("/account/a", 2), await keepAccount("/account/b", 1)];
    const { order } = sidecar();
    answer(refusing("/account/a"));
    await order({ accountId: first.id });
    await createAccountStore({ root }).save(server.directoryUrl, first, { createdAt: new Date() });
    answer(refusing("/account/b"));
    expect((await order({ accountId: second.id })).code).toBe("ACME_REJECTED_IDENTIFIER");
    expect((await order({ accountId: first.id })).code).toBe("ACME_REJECTED_IDENTIFIER");
    expect(registrations()).toEqual([]);
  });

  test("gets no third one after a death between the registration and the end of the replacement", async () => {
    const refused = await keepAccount("/account/a", 1);
    answer({ ...refusing("/account/a"), newAccount: () => registered(2) });
    for (let dieAt = 1; ; dieAt += 1) {
      server.forget();
      root = await folderInMemory();
      await createAccountStore({ root }).save(server.directoryUrl, refused, { createdAt: new Date(0) });
      const { fs, diedIn } = dyingFiles(dieAt);
      await sidecar(fs).order({ accountId: refused.id });
      const error = await sidecar().order({ accountId: refused.id });
      expect({ dieAt, code: error.code }).toEqual({ dieAt, code: "ACME_REJECTED_IDENTIFIER" });
      expect({ dieAt, keys: registeredKeys().size }).toEqual({ dieAt, keys: 1 });
      if (diedIn() === undefined) break;
    }
  });

  test("right after its registration is not registered another time", async () => {
    answer({ newOrder: () => UNKNOWN, account: () => UNKNOWN });
    await keepAccount("/account/a", 1);
    expect((await sidecar().order()).code).toBe("ACME_ACCOUNT_REFUSED");
    expect(registrations()).toHaveLength(1);
  });

  const refusedOrder = () => problemAnswer(403, "unauthorized", "not for you");

  test.each(["deactivated", "revoked"])("is replaced when the CA shows it as %s", async (status) => {
    await keepAccount("/account/a", 1);
    answer({ newOrder: refusedOrder, account: () => ({ status: 200, body: { status } }) });
    await sidecar().order();
    expect(registrations()).toHaveLength(1);
  });

  test.each([
    ["the CA shows it without a status", { status: 200, body: { contact: [] } }],
    ["the CA shows it as valid", { status: 200, body: { status: "valid" } }],
    ["the CA shows nothing", { status: 200, body: "" }],
  ])("for one order only stays when %s", async (_, shown) => {
    await keepAccount("/account/a", 1);
    for (const refusal of [refusedOrder(), UNKNOWN]) {
      answer({ newOrder: () => refusal, account: () => shown });
      await sidecar().order();
    }
    expect(registrations()).toEqual([]);
  });
});
