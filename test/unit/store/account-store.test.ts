import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Account, KeyChange } from "../../../src/reconcile/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { certbotConf } from "../../support/lineage-tree.ts";
import { dyingFiles, steppedFiles } from "../../support/stepped-files.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { thrownBy } from "../../support/test-store.ts";

const URL = "https://ca.test:14000/acme/dir";
const FOLDER = ["accounts", "ca.test:14000", "acme", "dir"];

let root: string;
type Store = ReturnType<typeof createAccountStore>;
let store: Store;

beforeEach(async () => {
  root = await temporaryFolder();
  store = createAccountStore({ root });
});

function makeAccount(type: "rsa" | "ec" = "ec"): Account {
  const { privateKey } =
    type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "prime256v1" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const publicPem = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
  const id = createHash("md5").update(publicPem).digest("hex");
  return { id, privateKeyPem, url: `https://ca.test:14000/acct/${id.slice(0, 6)}` };
}

const CREATED = { createdAt: new Date("2026-03-01T04:12:09.123Z") };

describe("an account", () => {
  test.each(["ec", "rsa"] as const)(
    "with an %s key is found as it was saved, in certbot's three files",
    async (type) => {
      const account = makeAccount(type);
      await store.save(URL, account, { ...CREATED, email: "me@a.test" });
      expect(await store.find(URL)).toEqual(account);
      const read = async (name: string) =>
        JSON.parse(await readFile(join(root, ...FOLDER, account.id, name), "utf8")) as unknown;
      expect(await read("regr.json")).toEqual({ body: { contact: ["mailto:me@a.test"] }, uri: account.url });
      expect(await read("meta.json")).toMatchObject({ creation_dt: "2026-03-01T04:12:09Z", register_to_eff: null });
      expect(await read("private_key.json")).toMatchObject({ kty: type.toUpperCase() });
    },
  );

  test("has certbot's modes", async () => {
    const account = makeAccount();
    await store.save(URL, account, CREATED);
    const mode = async (...parts: string[]) => (await stat(join(root, ...parts))).mode & 0o777;
    expect(await mode("accounts")).toBe(0o700);
    expect(await mode(...FOLDER, account.id)).toBe(0o700);
    expect(await mode(...FOLDER, account.id, "private_key.json")).toBe(0o400);
  });

  test("is there for its own directory only", async () => {
    await store.save(URL, makeAccount(), CREATED);
    expect(await store.find("https://ca.test:14000/acme/other")).toBeUndefined();
    expect(await store.find("https://ca.test/acme/dir")).toBeUndefined();
    expect(await store.find(`${URL}/`)).toBeDefined();
  });

  test("may be saved twice, and replaces nothing", async () => {
    const [first, second] = [makeAccount(), makeAccount()];
    await store.save(URL, first, CREATED);
    await store.save(URL, first, CREATED);
    await store.save(URL, second, { createdAt: new Date("2026-04-01T00:00:00Z") });
    expect(await store.find(URL)).toEqual(second);
    expect(await store.find(URL, first.id)).toEqual(first);
    expect(await store.find(URL, "f".repeat(32))).toEqual(second);
  });

  test("set aside is found no more, by us or certbot, and its key is kept", async () => {
    const account = makeAccount();
    for (let count = 0; count < 2; count += 1) {
      await store.save(URL, account, CREATED);
      await store.setAside(URL, account.id);
      await store.setAside(URL, account.id);
    }
    expect(await store.find(URL)).toBeUndefined();
    expect(await readdir(join(root, ...FOLDER))).toEqual([]);
    const aside = await readdir(join(root, "accounts", "set-aside", ...FOLDER.slice(1)));
    expect(aside.sort()).toEqual([account.id, `${account.id}-1`]);
  });

  test("of an old tree is found through certbot's link between servers", async () => {
    const account = makeAccount();
    await store.save("https://v1.test/directory", account, CREATED);
    await mkdir(join(root, "accounts", "v2.test"));
    await symlink(join(root, "accounts", "v1.test", "directory"), join(root, "accounts", "v2.test", "directory"));
    expect(await store.find("https://v2.test/directory")).toEqual(account);
  });

  test.each([
    ["has lost a file", (folder: string) => rm(join(folder, "regr.json"))],
    [
      "has a damaged key",
      (folder: string) =>
        rm(join(folder, "private_key.json")).then(() => writeFile(join(folder, "private_key.json"), "{}")),
    ],
    ["has no account URL", (folder: string) => writeFile(join(folder, "regr.json"), "{}")],
  ])("that %s is an error that names its folder, and a new one can take its place", async (_, damage) => {
    const account = makeAccount();
    await store.save(URL, account, CREATED);
    await damage(join(root, ...FOLDER, account.id));
    const error = await thrownBy(store.find(URL));
    expect(error.code).toBe("ACCOUNT_UNREADABLE");
    expect(error.message).toContain(account.id);
    await store.save(URL, account, CREATED);
    expect(await store.find(URL)).toEqual(account);
  });

  test("that is damaged doesn't hide a good one", async () => {
    const [good, bad] = [makeAccount(), makeAccount()];
    await store.save(URL, good, CREATED);
    await store.save(URL, bad, { createdAt: new Date("2026-04-01T00:00:00Z") });
    await writeFile(join(root, ...FOLDER, bad.id, "regr.json"), "");
    expect(await store.find(URL, bad.id)).toEqual(good);
  });

  test("whose saving dies at any call is there whole or not at all", async () => {
    const account = makeAccount();
    for (let dieAt = 1; ; dieAt += 1) {
      await rm(join(root, "accounts"), { recursive: true, force: true });
      const { fs, diedIn } = dyingFiles(dieAt);
      await createAccountStore({ root, fs })
        .save(URL, account, CREATED)
        .catch(() => undefined);
      if (diedIn() === undefined) break;
      expect([undefined, account]).toContainEqual(await store.find(URL));
      await store.save(URL, account, CREATED);
      expect(await store.find(URL)).toEqual(account);
    }
  });
});

describe("a coming account's key", () => {
  const account = makeAccount();
  const { url: _url, ...key } = account;

  test("is kept where certbot doesn't look, until the account is saved", async () => {
    for (let count = 0; count < 2; count += 1) await store.prepareRegistration(URL, key);
    expect(await store.pendingRegistration(URL)).toEqual(key);
    expect(await store.pendingRegistration("https://ca.test/other")).toBeUndefined();
    expect(await store.find(URL)).toBeUndefined();
    await store.save(URL, account, CREATED);
    expect(await store.pendingRegistration(URL)).toBeUndefined();
    const keys = (await readdir(root, { recursive: true })).filter((path) => path.endsWith("private_key.json"));
    expect(keys).toHaveLength(1);
  });

  test("is not registered another time, though its saving died, not even once its account is set aside", async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await rm(join(root, "accounts"), { recursive: true, force: true });
      await store.prepareRegistration(URL, key);
      const { fs, diedIn } = dyingFiles(dieAt);
      await createAccountStore({ root, fs })
        .save(URL, account, CREATED)
        .catch(() => undefined);
      const isSaved = (await store.find(URL)) !== undefined;
      expect(await store.pendingRegistration(URL)).toEqual(isSaved ? undefined : key);
      await store.setAside(URL, account.id);
      expect(await store.pendingRegistration(URL)).toEqual(undefined);
      if (diedIn() === undefined) break;
    }
  });

  test("is kept only where the account can be kept, too: what can't is told before the CA hears of it", async () => {
    await mkdir(join(root, ...FOLDER.slice(0, -1)), { recursive: true });
    await symlink("elsewhere", join(root, ...FOLDER));
    await expect(store.prepareRegistration(URL, key)).rejects.toMatchObject({
      code: "ACCOUNT_UNREADABLE",
      message: expect.stringContaining(`${join(root, ...FOLDER)}: it is a link to elsewhere, where nothing is`),
    });
    await rm(join(root, ...FOLDER));
    for (const code of ["EROFS", "EXDEV"]) {
      const fs = steppedFiles((_, call) => {
        const isThere = call.startsWith("rename") && call.includes(` ${join(root, ...FOLDER)}/`);
        if (isThere) throw Object.assign(new Error(code), { code });
      });
      await expect(createAccountStore({ root, fs }).prepareRegistration(URL, key)).rejects.toMatchObject({
        message: expect.stringContaining(code),
      });
      expect(await readdir(join(root, ...FOLDER))).toEqual([]);
    }
  });

  test("that can't be read is none", async () => {
    await store.prepareRegistration(URL, key);
    const path = join(root, "accounts", "registration", ...FOLDER.slice(1), key.id, "private_key.json");
    await rm(path);
    await writeFile(path, "{}");
    expect(await store.pendingRegistration(URL)).toBeUndefined();
  });
});

describe("a change of an account's key", () => {
  const old = makeAccount("rsa");
  const change: KeyChange = { previousId: old.id, account: { ...makeAccount(), url: old.url } };
  const putConf = async (name: string, more: { accountId?: string; server?: string } = {}) => {
    await mkdir(join(root, "renewal"), { recursive: true });
    const text = certbotConf(root, name).replace(/^account = .*$/m, `account = ${more.accountId ?? old.id}`);
    const path = join(root, "renewal", `${name}.conf`);
    await writeFile(path, text.replace(/^server = .*$/m, `server = ${more.server ?? URL}`));
    return path;
  };
  const read = (path: string) => readFile(path, "utf8");
  const inFolder = (id: string, name: string) => read(join(root, ...FOLDER, id, name));

  beforeEach(() => store.save(URL, old, { ...CREATED, email: "me@a.test" }));

  test("is unseen until it is finished, and then the account is the same but for its key", async () => {
    const before = await Promise.all(["regr.json", "meta.json"].map((name) => inFolder(old.id, name)));
    await store.prepareKeyChange(URL, change);
    expect(await store.find(URL)).toEqual(old);
    expect(await readdir(join(root, ...FOLDER))).toEqual([old.id]);
    expect(await store.pendingKeyChanges(URL)).toEqual([change]);
    expect(await store.pendingKeyChanges("https://ca.test/other")).toEqual([]);

    for (let count = 0; count < 2; count += 1) await store.finishKeyChange(URL, change);
    expect(await store.find(URL)).toEqual(change.account);
    expect(await readdir(join(root, ...FOLDER))).toEqual([change.account.id]);
    const after = await Promise.all(["regr.json", "meta.json"].map((name) => inFolder(change.account.id, name)));
    expect(after).toEqual(before);
    expect(await readdir(join(root, "accounts", "set-aside", ...FOLDER.slice(1)))).toEqual([old.id]);
    expect(await store.pendingKeyChanges(URL)).toEqual([]);
    // No copy of the key is left lying about.
    const keys = (await readdir(root, { recursive: true })).filter((path) => path.endsWith("private_key.json"));
    expect(keys).toHaveLength(2);
  });

  test("renames the account in the confs that name it at that CA, and in nothing else", async () => {
    const [named, atOther, ofOther, broken] = await Promise.all([
      putConf("named.test", { server: `${URL}/` }),
      putConf("at-other.test", { server: "https://other.test/dir" }),
      putConf("of-other.test", { accountId: "f".repeat(32) }),
      putConf("broken.test").then((path) => writeFile(path, `account = ${old.id}\n`).then(() => path)),
    ]);
    await mkdir(join(root, "renewal", "a folder.conf"));
    const before = await Promise.all([named, atOther, ofOther, broken].map(read));
    await store.renameInConfs(URL, old.id, change.account.id);
    const [first = "", ...others] = before;
    const expected = [first.replace(old.id, change.account.id), ...others];
    expect(await Promise.all([named, atOther, ofOther, broken].map(read))).toEqual(expected);
  });

  test("that is dropped is none any more, and its key is set aside", async () => {
    await store.prepareKeyChange(URL, change);
    for (let count = 0; count < 2; count += 1) await store.dropKeyChange(URL, change);
    expect(await store.pendingKeyChanges(URL)).toEqual([]);
    expect(await store.find(URL)).toEqual(old);
    expect(await readdir(join(root, "accounts", "set-aside", ...FOLDER.slice(1)))).toEqual([change.account.id]);
    expect(await readdir(join(root, "accounts", "key-change", ...FOLDER.slice(1)))).toEqual([]);
  });

  test("whose folder is damaged is none", async () => {
    await store.prepareKeyChange(URL, change);
    const folder = join(root, "accounts", "key-change", ...FOLDER.slice(1), old.id, change.account.id);
    await rm(join(folder, "regr.json"));
    expect(await store.pendingKeyChanges(URL)).toEqual([]);
    expect(await store.find(URL)).toEqual(old);
  });

  test.each(["prepared", "finished"] as const)(
    "that dies at any call while it is %s can be done again",
    async (step) => {
      const conf = await putConf("a.test");
      const template = await temporaryFolder();
      if (step === "finished") await store.prepareKeyChange(URL, change);
      await cp(root, template, { recursive: true });
      const act = (on: Store) =>
        step === "prepared" ? on.prepareKeyChange(URL, change) : on.finishKeyChange(URL, change);
      for (let dieAt = 1; ; dieAt += 1) {
        for (const entry of await readdir(root)) await rm(join(root, entry), { recursive: true });
        await cp(template, root, { recursive: true });
        const { fs, diedIn } = dyingFiles(dieAt);
        await act(createAccountStore({ root, fs })).catch(() => undefined);
        if (diedIn() === undefined) break;
        // At each moment there is an account with one of the two keys, and the change is known until it is done.
        const found = await store.find(URL, old.id);
        expect([old, change.account]).toContainEqual(found);
        const isDone = (await store.pendingKeyChanges(URL)).length === 0;
        const named = /^account = (.*)$/m.exec(await read(conf))?.[1];
        expect(await readdir(join(root, ...FOLDER))).toContain(named);
        const isRenamed = named === change.account.id;
        expect(isRenamed || !isDone || step === "prepared").toBe(true);
        await act(store);
        expect(await store.pendingKeyChanges(URL)).toEqual(step === "prepared" ? [change] : []);
        expect(await read(conf)).toContain(step === "prepared" ? old.id : change.account.id);
      }
    },
  );
});

test.each(["not a url", "https://ca.test/../../etc", "https:///dir"])("%j is refused as a directory", async (url) => {
  expect((await thrownBy(store.find(url))).code).toBe("ACCOUNT_UNREADABLE");
});
