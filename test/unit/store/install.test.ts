import { writeFileSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { FRESH_STATE } from "../../../src/reconcile/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { certbotConf, isServable, listTree, newVersion, writeArchived, SETTINGS } from "../../support/lineage-tree.ts";
import { steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, thrownBy, type TestStore } from "../../support/test-store.ts";

const NAME = "a.test";
const HOUR_MS = 3600 * 1000;

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

describe("a first version", () => {
  test("is laid out as certbot lays it out, behind one link", async () => {
    const installed = await tree.store.install(newVersion(NAME), new Date());
    expect(installed.version).toBe(1);
    expect(await listTree(tree.root)).toEqual([
      "archive",
      "archive/a.test",
      "archive/a.test/cert1.pem",
      "archive/a.test/chain1.pem",
      "archive/a.test/fullchain1.pem",
      "archive/a.test/privkey1.pem",
      "live",
      "live/.a.test.1",
      "live/.a.test.1/cert.pem -> ../../archive/a.test/cert1.pem",
      "live/.a.test.1/chain.pem -> ../../archive/a.test/chain1.pem",
      "live/.a.test.1/fullchain.pem -> ../../archive/a.test/fullchain1.pem",
      "live/.a.test.1/privkey.pem -> ../../archive/a.test/privkey1.pem",
      "live/a.test -> .a.test.1",
      "renewal",
      "renewal-hooks",
      "renewal-hooks/deploy",
      "renewal-hooks/post",
      "renewal-hooks/pre",
      "renewal/a.test.conf",
    ]);
    expect(await isServable(tree.root, NAME)).toBe(true);
  });

  test("has its conf on the disk before it is shown, for a power cut in between", async () => {
    const calls: string[] = [];
    const fs = steppedFiles((_, call) => void calls.push(call));
    const { store } = await openTestStore({ root: tree.root, fs });
    await store.install(newVersion(NAME), new Date());
    const shown = calls.findIndex((call) => call.startsWith("rename") && call.endsWith(tree.at("live", NAME)));
    const conf = calls.findIndex((call) => call.startsWith(`open ${tree.at("renewal", `.${NAME}.conf.prepared`)}`));
    const synced = calls.indexOf(`open ${tree.at("renewal")}`, conf);
    expect(conf).toBeGreaterThan(0);
    expect(synced).toBeGreaterThan(conf);
    expect(synced).toBeLessThan(shown);
    expect(calls[synced + 1]).toBe("file.sync");
  });

  test("has certbot's modes", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    const mode = async (...parts: string[]) => ((await stat(tree.at(...parts))).mode & 0o777).toString(8);
    expect(await mode("archive", NAME, "privkey1.pem")).toBe("600");
    expect(await mode("archive", NAME, "fullchain1.pem")).toBe("644");
    expect(await mode("archive")).toBe("700");
    expect(await mode("live")).toBe("700");
    expect(await mode("archive", NAME)).toBe("755");
    expect(await mode("live", NAME)).toBe("755");
    expect(await mode("renewal", `${NAME}.conf`)).toBe("644");
  });

  test("is listed with its settings and its leaf", async () => {
    const version = newVersion(NAME, {
      names: [NAME, "www.a.test", "192.0.2.7"],
      settings: { ...SETTINGS, keyType: "rsa-4096" },
    });
    const { leaf } = await tree.store.install(version, new Date());
    expect(leaf.identifiers).toEqual(version.identifiers);
    const settings = { ...version.settings, accountId: version.issued.accountId };
    expect(await tree.store.list()).toEqual([
      { name: NAME, settings, current: { version: 1, leaf }, problem: undefined },
    ]);
  });

  test("goes above the numbers of an archive without a conf, whose keys stay", async () => {
    await mkdir(tree.at("archive", NAME), { recursive: true });
    await writeFile(tree.at("archive", NAME, "privkey4.pem"), "an old key");
    expect(await tree.store.recover()).toEqual([]);
    expect((await tree.store.install(newVersion(NAME), new Date())).version).toBe(5);
    expect(await readFile(tree.at("archive", NAME, "privkey4.pem"), "utf8")).toBe("an old key");
  });

  test("takes the place of a dangling link in live", async () => {
    await mkdir(tree.at("live"));
    await symlink("nowhere", tree.at("live", NAME));
    await tree.store.install(newVersion(NAME), new Date());
    expect(await isServable(tree.root, NAME)).toBe(true);
  });
});

describe("a later version", () => {
  test("replaces the one shown and keeps what certbot keeps", async () => {
    for (let count = 1; count <= 8; count += 1) await tree.store.install(newVersion(NAME), new Date());
    expect(await tree.currentVersion()).toBe(8);
    const keys = (await readdir(tree.at("archive", NAME))).filter((file) => file.startsWith("privkey"));
    expect(keys.sort()).toEqual([3, 4, 5, 6, 7, 8].map((number) => `privkey${number}.pem`));
    expect((await readdir(tree.at("live"))).sort()).toEqual([".a.test.7", ".a.test.8", "a.test"]);
  });

  test("counts on from what a foreign certbot wrote meanwhile, and loses nothing of it", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    const listed = await tree.store.list();
    expect(listed[0]?.current?.version).toBe(1);
    await writeArchived(tree.at("archive", NAME), 2, issueForTest({ names: [NAME] }));
    for (const kind of ["cert", "chain", "fullchain", "privkey"]) {
      await unlink(tree.at("live", NAME, `${kind}.pem`));
      await symlink(`../../archive/${NAME}/${kind}2.pem`, tree.at("live", NAME, `${kind}.pem`));
    }
    await writeFile(tree.at("renewal", `${NAME}.conf`), `${certbotConf(tree.root, NAME)}[extra]\nkey = 1\n`);
    expect(await tree.currentVersion()).toBe(2);
    expect((await tree.store.install(newVersion(NAME), new Date())).version).toBe(3);
    expect(await readdir(tree.at("archive", NAME))).toHaveLength(12);
    expect(await readFile(tree.at("renewal", `${NAME}.conf`), "utf8")).toContain("[extra]\nkey = 1\n");
  });

  test("takes the next number when a foreign certbot takes ours at that moment", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    const fs = steppedFiles((_, call) => {
      if (call.includes("chain2.pem wx")) writeFileSync(tree.at("archive", NAME, "chain2.pem"), "certbot's");
    });
    const raced = await openTestStore({ root: tree.root, fs });
    expect((await raced.store.install(newVersion(NAME), new Date())).version).toBe(3);
    expect(await readFile(tree.at("archive", NAME, "chain2.pem"), "utf8")).toBe("certbot's");
    expect(await readdir(tree.at("archive", NAME))).not.toContain("cert2.pem");
    expect(await tree.currentVersion()).toBe(3);
  });

  test("keeps the version that was shown before it, however many came between and were put back", async () => {
    for (let count = 1; count <= 7; count += 1) await tree.store.install(newVersion(NAME), new Date());
    await tree.store.show(NAME, 2);
    await tree.store.install(newVersion(NAME), new Date());
    await tree.store.show(NAME, 2);
    expect([await tree.currentVersion(), await isServable(tree.root, NAME)]).toEqual([2, true]);
  });

  test("keeps a key that certbot's --reuse-key still links to", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    for (let count = 2; count <= 7; count += 1) await tree.store.install(newVersion(NAME), new Date());
    await rm(tree.at("archive", NAME, "privkey7.pem"));
    await symlink("privkey2.pem", tree.at("archive", NAME, "privkey7.pem"));
    await tree.store.install(newVersion(NAME), new Date());
    expect(await readdir(tree.at("archive", NAME))).toContain("privkey2.pem");
  });

  test("gives the key the group and the group's rights of the key before, as certbot does", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    await chmod(tree.at("archive", NAME, "privkey1.pem"), 0o640);
    if (process.getuid?.() === 0) await chown(tree.at("archive", NAME, "privkey1.pem"), 0, 4321);
    const before = await stat(tree.at("archive", NAME, "privkey1.pem"));
    await tree.store.install(newVersion(NAME), new Date());
    const after = await stat(tree.at("archive", NAME, "privkey2.pem"));
    expect([after.mode & 0o777, after.gid]).toEqual([0o640, before.gid]);
  });

  test("keeps other files that people put into live beside ours, but not certbot's rescue links", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    await writeFile(tree.at("live", NAME, "combined.pem"), "mine");
    await symlink("/elsewhere", tree.at("live", NAME, "mine.pem"));
    await symlink(`${tree.root}/archive/${NAME}/cert1.pem`, tree.at("live", NAME, "previous_cert.pem"));
    await tree.store.install(newVersion(NAME), new Date());
    expect(await readFile(tree.at("live", NAME, "combined.pem"), "utf8")).toBe("mine");
    expect(await readlink(tree.at("live", NAME, "mine.pem"))).toBe("/elsewhere");
    expect(await readdir(tree.at("live", NAME))).not.toContain("previous_cert.pem");
  });

  test("keeps an unreadable conf aside instead of failing", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    await writeFile(tree.at("renewal", `${NAME}.conf`), "not a conf\n");
    const [listed] = await tree.store.list();
    expect(listed).toMatchObject({ name: NAME, problem: { code: "RENEWAL_CONF_UNREADABLE" } });
    expect(listed?.settings).toBeUndefined();
    expect(listed?.current?.version).toBe(1);
    await tree.store.install(newVersion(NAME), new Date());
    expect((await tree.store.list())[0]).toMatchObject({ problem: undefined, settings: { keyType: "ecdsa-p256" } });
    expect(await readFile(tree.at("renewal", `${NAME}.conf.unreadable`), "utf8")).toBe("not a conf\n");
  });
});

describe("what was issued is refused, and what is shown stays,", () => {
  beforeEach(() => tree.store.install(newVersion(NAME), new Date()));

  test.each([
    ["its key is another's", () => ({ privateKeyPem: issueForTest({ names: [NAME] }).privateKeyPem }), "key is not"],
    [
      "its chain can't be parsed",
      () => ({ chainPem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
      "parsed",
    ],
    ["it is no certificate", () => ({ certificatePem: "<html>" }), "0 PEM certificates"],
  ])("when %s", async (_, wrong, words) => {
    const good = newVersion(NAME);
    const version = { ...good, issued: { ...good.issued, ...wrong() } };
    const error = await thrownBy(tree.store.install(version, new Date()));
    expect(error).toMatchObject({
      code: "ISSUED_CERTIFICATE_UNUSABLE",
      message: expect.stringContaining(words) as string,
    });
    expect(await tree.currentVersion()).toBe(1);
    expect(await readdir(tree.at("archive", NAME))).toHaveLength(4);
  });

  test("when a name that was ordered is not in it", async () => {
    const issued = issueForTest({ names: [NAME, "x.test"] });
    const error = await thrownBy(tree.store.install(newVersion(NAME, { names: [NAME, "b.test"], issued }), new Date()));
    expect(error.message).toContain("b.test, which was ordered, is not in it: it is for a.test, x.test");
  });

  test.each([
    ["behind", -2 * HOUR_MS],
    ["ahead", 91 * 24 * HOUR_MS],
  ])("with both times when our clock is %s", async (_, offsetMs) => {
    const now = new Date(Date.now() + offsetMs);
    const version = newVersion(NAME);
    const error = await thrownBy(tree.store.install(version, now));
    expect(error.code).toBe("CLOCK_WRONG");
    expect(error.message).toContain(now.toISOString());
    expect(error.remedy).toContain("clock");
  });

  test("but a clock that is a little slow is let through", async () => {
    const version = newVersion(NAME, { notBefore: new Date(Date.now() + 60_000) });
    await expect(tree.store.install(version, new Date())).resolves.toMatchObject({ version: 2 });
  });

  test.each(["../x", "a/b", ".hidden", "", "a b", "a\nb", "x".repeat(201)])("when the name is %j", async (lineage) => {
    const error = await thrownBy(tree.store.install({ ...newVersion(NAME), lineage }, new Date()));
    expect(error.code).toBe("LINEAGE_NAME_UNSAFE");
  });
});

describe("a tree of another user", () => {
  test("keeps its owner in all that we add, when we have the right to give files away", async () => {
    if (process.getuid?.() === 0) await chown(tree.root, 1000, 1000);
    const owner = await stat(tree.root);
    await tree.store.install(newVersion(NAME), new Date());
    await tree.store.saveState(NAME, FRESH_STATE);
    for (const line of await readdir(tree.root, { recursive: true })) {
      const own = await stat(tree.at(line));
      expect([line, own.uid, own.gid]).toEqual([line, owner.uid, owner.gid]);
    }
  });
});
