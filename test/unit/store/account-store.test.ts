import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Account, AccountStore } from "../../../src/reconcile/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { dyingFiles } from "../../support/stepped-files.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { thrownBy } from "../../support/test-store.ts";

const URL = "https://ca.test:14000/acme/dir";
const FOLDER = ["accounts", "ca.test:14000", "acme", "dir"];

let root: string;
let store: AccountStore;

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

test.each(["not a url", "https://ca.test/../../etc", "https:///dir"])("%j is refused as a directory", async (url) => {
  expect((await thrownBy(store.find(url))).code).toBe("ACCOUNT_UNREADABLE");
});
