import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Account, ExternalAccount, IssueRequest, KeyChange } from "../../src/reconcile/index.ts";
import { createAccountStore, type FileSystem } from "../../src/store/index.ts";
import { dns, failureOf, freshName, makeSidecar } from "../support/acme-stage.ts";
import { collectLog } from "../support/collected-log.ts";
import { certbotConf } from "../support/lineage-tree.ts";
import { type Pebble, startPebble } from "../support/pebble.ts";
import { type Interference, type ProxiedCa, startProxiedCa } from "../support/proxied-ca.ts";
import { dyingFiles } from "../support/stepped-files.ts";
import { folderInMemory, temporaryFolder } from "../support/temporary-folder.ts";
import { serveWebroot, type WebrootServer } from "../support/webroot-server.ts";
import { byWebroot } from "../support/challenges.ts";

const HMAC_KEY = randomBytes(32);
const EXTERNAL: ExternalAccount = { keyId: "kid-1", hmacKey: HMAC_KEY.toString("base64url") };
const NEW_ACCOUNT = "sign-me-up";
const KEY_CHANGE = "rollover-account-key";

let webroot: string;
let web: WebrootServer;
/** Registers nobody without an external account. */
let bound: Pebble;
let ca: ProxiedCa;
/** Registers everybody. */
let open: Pebble;
let interfere: Interference | undefined;
let root: string;

beforeAll(async () => {
  webroot = await mkdtemp(join(tmpdir(), "webroot-"));
  web = await serveWebroot(webroot);
  const common = { httpPort: web.port, authorizationReusePercent: 100 };
  bound = await startPebble({ ...common, externalAccountKeys: { [EXTERNAL.keyId]: EXTERNAL.hmacKey } });
  open = await startPebble(common);
  ca = await startProxiedCa(bound.directoryUrl, bound.caPem, (passing) => interfere?.(passing));
});

afterAll(async () => {
  await ca.stop();
  await bound.stop();
  await open.stop();
  await web.close();
  await rm(webroot, { recursive: true, force: true });
});

beforeEach(async () => {
  interfere = undefined;
  ca.forget();
  root = await temporaryFolder();
});

const live = () => new AbortController().signal;
const posted = (path: string) => ca.passed.filter((one) => one.method === "POST" && one.path.includes(path));

/** One process of ours on a tree; `fs` is its file system. */
async function sidecar(tree = root, fs?: FileSystem) {
  const accounts = createAccountStore({ root: tree, fs });
  const trust = { caPem: ca.caPem + open.caPem };
  const parts = { ca: trust, webUrl: `http://127.0.0.1:${web.port}`, authority: { accounts } };
  const { authority, issue, lines, events } = await makeSidecar(parts);
  const log = collectLog();
  const changeKey = (directoryUrl = ca.directoryUrl, accountId?: string): Promise<KeyChange> =>
    authority.changeAccountKey({ directoryUrl, accountId }, log, live());
  const told = () => [...events(), ...log.lines.map(({ event }) => event)];
  return { accounts, issue, changeKey, lines: () => [...lines, ...log.lines], told };
}

function request(more: Partial<IssueRequest> = {}): IssueRequest {
  const name = freshName();
  const { directoryUrl } = ca;
  const common = { lineage: name, identifiers: dns(name), keyType: "ecdsa-p256", account: "stored" } as const;
  return { ...common, directoryUrl, challenges: byWebroot(webroot), externalAccount: EXTERNAL, ...more };
}

/** Issues once, so that there is an account; gives it. */
async function accountAt(directoryUrl = ca.directoryUrl): Promise<Account> {
  const { issue, accounts } = await sidecar();
  await issue(request({ directoryUrl }));
  const account = await accounts.find(directoryUrl);
  if (account === undefined) throw new Error("no account was kept");
  return account;
}

const serverFolder = (directoryUrl = ca.directoryUrl) => new URL(directoryUrl).href.replace("https://", "");
const accountsAt = (tree = root, directoryUrl?: string) => readdir(join(tree, "accounts", serverFolder(directoryUrl)));
const setAside = (tree = root) => readdir(join(tree, "accounts", "set-aside", serverFolder()));

/** Puts a renewal conf there that names an account. */
async function putConf(lineage: string, accountId: string, directoryUrl = ca.directoryUrl): Promise<void> {
  await mkdir(join(root, "renewal"), { recursive: true });
  const text = certbotConf(root, lineage).replace(/^account = .*$/m, `account = ${accountId}`);
  await writeFile(join(root, "renewal", `${lineage}.conf`), text.replace(/^server = .*$/m, `server = ${directoryUrl}`));
}

async function accountInConf(lineage: string, tree = root): Promise<string | undefined> {
  const text = await readFile(join(tree, "renewal", `${lineage}.conf`), "utf8");
  return /^account = (.*)$/m.exec(text)?.[1];
}

describe("a CA that requires an external account", () => {
  test.each(["base64url", "base64"] as const)("registers us with one whose key is in %s", async (encoding) => {
    const { issue, accounts, lines } = await sidecar();
    const externalAccount = { keyId: EXTERNAL.keyId, hmacKey: HMAC_KEY.toString(encoding) };
    const issued = await issue(request({ externalAccount }));
    expect((await accounts.find(ca.directoryUrl))?.id).toBe(issued.accountId);
    expect(JSON.stringify(lines())).not.toContain(externalAccount.hmacKey.slice(0, 20));
  });

  test("is not asked to register us without one, and the settings are named", async () => {
    const { issue } = await sidecar();
    const error = await failureOf(issue(request({ externalAccount: undefined })));
    expect(error.code).toBe("ACME_EXTERNAL_ACCOUNT_REQUIRED");
    expect(error.message).toContain(ca.directoryUrl);
    expect(error.remedy).toMatch(/CERTBOT_EAB_KID.*CERTBOT_EAB_HMAC_KEY/);
    expect(ca.passed.map(({ method }) => method)).not.toContain("POST");
  });

  test.each([
    {
      what: "a key it doesn't know",
      hmacKey: randomBytes(32).toString("base64url"),
      code: "ACME_EXTERNAL_ACCOUNT_REFUSED",
      asked: 1,
    },
    { what: "no key at all, but a text", hmacKey: "not a key!", code: "ACME_EXTERNAL_ACCOUNT_KEY", asked: 0 },
  ])("refuses $what, which is shown nowhere", async ({ hmacKey, code, asked }) => {
    const { issue, lines } = await sidecar();
    const error = await failureOf(issue(request({ externalAccount: { keyId: EXTERNAL.keyId, hmacKey } })));
    expect([error.code, posted(NEW_ACCOUNT).filter(({ body }) => !body.includes("badNonce")).length]).toEqual([
      code,
      asked,
    ]);
    expect(`${error.message}${error.remedy}${JSON.stringify(lines())}`).not.toContain(hmacKey);
  });

  test("is asked nothing for a rehearsal, whose own account would use the binding up", async () => {
    const { issue } = await sidecar();
    const error = await failureOf(issue(request({ account: "throw-away" })));
    expect(error.code).toBe("ACME_REHEARSAL_NEEDS_ACCOUNT");
    expect(ca.passed.map(({ method }) => method)).not.toContain("POST");
  });
});

describe("an account that the CA no longer takes", () => {
  const withStoredKey = async (account: Account) => {
    // The tree of a backup: the CA knows the account, but by a key that came later.
    const { accounts } = await sidecar();
    await accounts.save(ca.directoryUrl, account, { createdAt: new Date() });
  };

  test("because its key has changed since the backup is replaced once, by however many orders meet it", async () => {
    const old = await accountAt();
    const rolled = await sidecar();
    await rolled.changeKey();
    await rm(join(root, "accounts"), { recursive: true });
    await withStoredKey(old);
    for (const lineage of ["a.test", "b.test"]) await putConf(lineage, old.id);
    const { issue, told } = await sidecar();
    const orders = [1, 2, 3].map(() => issue(request({ accountId: old.id })));
    const ids = new Set((await Promise.all(orders)).map(({ accountId }) => accountId));
    expect(ids.size).toBe(1);
    expect(ids).not.toContain(old.id);
    expect(told().filter((event) => event === "account.registered")).toHaveLength(1);
    expect(told().filter((event) => event === "account.replaced")).toHaveLength(1);
    expect(await setAside()).toEqual([old.id]);
    for (const lineage of ["a.test", "b.test"]) expect([...ids]).toContain(await accountInConf(lineage));
  });

  test("stays where it is while no other can be registered", async () => {
    const old = await accountAt();
    await (await sidecar()).changeKey();
    await rm(join(root, "accounts"), { recursive: true });
    await withStoredKey(old);
    const { issue, accounts } = await sidecar();
    const error = await failureOf(issue(request({ externalAccount: undefined })));
    expect(error.code).toBe("ACME_EXTERNAL_ACCOUNT_REQUIRED");
    expect(await accounts.find(ca.directoryUrl)).toEqual(old);
  });
});

describe("a new key for the account", () => {
  test("takes the old one's place at the CA, on disk and in the lineages, and nowhere else", async () => {
    const old = await accountAt();
    const elsewhere = await accountAt(open.directoryUrl);
    await putConf("a.test", old.id);
    await putConf("other.test", elsewhere.id, open.directoryUrl);
    await putConf("same-id.test", old.id, open.directoryUrl);
    const { changeKey, issue, accounts, lines } = await sidecar();
    const { previousId, account } = await changeKey();
    expect(previousId).toBe(old.id);
    expect(account).toMatchObject({ url: old.url });
    expect(account.id).not.toBe(old.id);
    expect(await accounts.find(ca.directoryUrl)).toEqual(account);
    expect([await accountsAt(), await setAside()]).toEqual([[account.id], [old.id]]);
    expect(await accounts.find(open.directoryUrl)).toEqual(elsewhere);
    const named = await Promise.all(["a.test", "other.test", "same-id.test"].map((lineage) => accountInConf(lineage)));
    expect(named).toEqual([account.id, elsewhere.id, old.id]);
    expect(lines().find(({ event }) => event === "account.key-changed")).toMatchObject({
      fields: { account: old.url, previousId: old.id, accountId: account.id },
    });
    expect((await issue(request({ accountId: old.id }))).accountId).toBe(account.id);
    expect(posted(NEW_ACCOUNT).filter(({ status }) => status === 201)).toHaveLength(1);
  });

  test("is given to the account that was asked for, of two at one CA", async () => {
    const first = await accountAt();
    await rm(join(root, "accounts"), { recursive: true });
    const second = await accountAt();
    const { accounts, changeKey, issue } = await sidecar();
    await accounts.save(ca.directoryUrl, first, { createdAt: new Date("2026-01-01T00:00:00Z") });
    const { account } = await changeKey(ca.directoryUrl, first.id);
    expect(account.url).toBe(first.url);
    expect((await accountsAt()).sort()).toEqual([account.id, second.id].sort());
    // A run that began before still asks for it by its old id.
    expect((await issue(request({ accountId: first.id }))).accountId).toBe(account.id);
  });

  test("is no account's where there is no account", async () => {
    const { changeKey } = await sidecar();
    const error = await failureOf(changeKey());
    expect([error.code, ca.passed]).toEqual(["ACME_NO_ACCOUNT", []]);
  });

  test("is the account's also when the CA's answer is lost", async () => {
    const old = await accountAt();
    const { changeKey, told, issue } = await sidecar();
    ca.loseAnswer(KEY_CHANGE);
    const { account } = await changeKey();
    expect(told()).toContain("request.repeated");
    expect(await accountsAt()).toEqual([account.id]);
    expect((await issue(request())).accountId).toBe(account.id);
    expect(account.url).toBe(old.url);
  });

  test("is found by the next order when the CA had made it but could not say so", async () => {
    const old = await accountAt();
    await putConf("a.test", old.id);
    let isMade = false;
    const cutOff: Interference = async ({ response, ask }) => {
      if (!isMade) isMade = (await ask()).status === 200;
      response.destroy();
    };
    interfere = (passing) => (isMade || passing.path.includes(KEY_CHANGE) ? cutOff(passing) : undefined);
    const error = await failureOf((await sidecar()).changeKey());
    expect(error.code).toBe("ACME_UNREACHABLE");
    expect(await accountsAt()).toEqual([old.id]);
    interfere = undefined;
    const { issue, told } = await sidecar();
    const issued = await issue(request({ accountId: old.id }));
    expect(issued.accountId).not.toBe(old.id);
    expect(told()).toContain("account.key-changed");
    expect(told()).not.toContain("account.registered");
    expect([await accountsAt(), await accountInConf("a.test")]).toEqual([[issued.accountId], issued.accountId]);
  });

  test("is forgotten by the next order when the CA had never heard of it", async () => {
    const old = await accountAt();
    interfere = ({ path, response }) => {
      if (!path.includes(KEY_CHANGE)) return undefined;
      response.destroy();
      return Promise.resolve();
    };
    expect((await failureOf((await sidecar()).changeKey())).code).toBe("ACME_UNREACHABLE");
    interfere = undefined;
    const { issue, accounts } = await sidecar();
    expect((await issue(request({ accountId: old.id }))).accountId).toBe(old.id);
    expect(await accounts.pendingKeyChanges(ca.directoryUrl)).toEqual([]);
  });

  test("whose making dies at any call is settled by whoever comes next, with no account lost", async () => {
    const old = await accountAt();
    await putConf("a.test", old.id);
    const tree = await folderInMemory();
    await cp(root, tree, { recursive: true });
    let call: string | undefined = "none";
    let dieAt = 1;
    for (; call !== undefined; dieAt += 1) {
      const { fs, diedIn } = dyingFiles(dieAt);
      const dying = await sidecar(tree, fs);
      await dying.changeKey().catch(() => undefined);
      call = diedIn();
      const next = await sidecar(tree);
      // Signed by the key that is the account's by now: or the CA refuses it.
      const { account } = await next.changeKey(ca.directoryUrl, await accountInConf("a.test", tree));
      expect({ call, url: account.url }).toEqual({ call, url: old.url });
      expect([await accountsAt(tree), await accountInConf("a.test", tree)]).toEqual([[account.id], account.id]);
      expect(await next.accounts.pendingKeyChanges(ca.directoryUrl)).toEqual([]);
    }
    const last = await sidecar(tree);
    expect((await last.issue(request())).accountId).toBe(await accountInConf("a.test", tree));
    expect(last.told()).not.toContain("account.registered");
    expect(dieAt).toBeGreaterThan(30);
  });
});

describe("accounts at several CAs", () => {
  test("are each found at their own, whatever the external account is for", async () => {
    const { issue, accounts } = await sidecar();
    const atBound = await issue(request());
    const atOpen = await issue(request({ directoryUrl: open.directoryUrl }));
    expect(atOpen.accountId).not.toBe(atBound.accountId);
    const again = await sidecar();
    const both = [request(), request({ directoryUrl: open.directoryUrl, accountId: atBound.accountId })];
    const ids = await Promise.all(both.map(async (one) => (await again.issue(one)).accountId));
    expect(ids).toEqual([atBound.accountId, atOpen.accountId]);
    expect(again.told()).not.toContain("account.registered");
    expect((await accounts.find(open.directoryUrl))?.id).toBe(atOpen.accountId);
  });

  test("that a lineage names and that are gone leave it the newest one", async () => {
    const account = await accountAt();
    const { issue } = await sidecar();
    expect((await issue(request({ accountId: "0".repeat(32) }))).accountId).toBe(account.id);
  });
});
