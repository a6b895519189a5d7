import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import { isServable, newVersion, putCertbotLineage, writeArchived, SETTINGS } from "../../support/lineage-tree.ts";
import { steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, thrownBy, type TestStore } from "../../support/test-store.ts";

const NAME = "a.test";

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

describe("certbot's own folder", () => {
  beforeEach(() => putCertbotLineage(tree.root, NAME, issueForTest({ names: [NAME] })));

  test("is listed as it is", async () => {
    const [listed] = await tree.store.list();
    expect(listed).toMatchObject({ name: NAME, current: { version: 1 }, problem: undefined });
    expect(listed?.settings).toEqual({ ...SETTINGS, accountId: "0123456789abcdef0123456789abcdef" });
    expect(await tree.store.recover()).toEqual([]);
  });

  test("becomes our link once, with its README, and says so", async () => {
    await tree.store.install(newVersion(NAME), new Date());
    expect(await readlink(tree.at("live", NAME))).toBe(".a.test.2");
    expect((await readdir(tree.at("live"))).sort()).toEqual([".a.test.2", "a.test"]);
    expect(await readdir(tree.at("live", NAME))).toContain("README");
    expect(tree.lines.map(({ event }) => event)).toEqual(["lineage.converted"]);
    await tree.store.install(newVersion(NAME), new Date());
    expect(tree.lines).toHaveLength(1);
  });

  test("is put back when the conversion died between its two renames", async () => {
    await rename(tree.at("live", NAME), tree.at("live", `.${NAME}.adopted`));
    expect(await tree.store.recover()).toEqual([{ lineage: NAME, did: expect.stringContaining("put back") as string }]);
    expect(await tree.currentVersion()).toBe(1);
    expect(await tree.store.recover()).toEqual([]);
  });

  test("that holds the one copy of a key is kept when our link takes its place", async () => {
    await unlink(tree.at("live", NAME, "privkey.pem"));
    await rename(tree.at("archive", NAME, "privkey1.pem"), tree.at("live", NAME, "privkey.pem"));
    const key = await readFile(tree.at("live", NAME, "privkey.pem"), "utf8");
    await tree.store.install(newVersion(NAME), new Date());
    const kept = (await readdir(tree.at("live"))).filter((entry) => entry.startsWith(`.${NAME}.adopted-`));
    const keys = kept.map((folder) => readFile(tree.at("live", folder, "privkey.pem"), "utf8"));
    expect(await Promise.all(keys)).toEqual([key]);
  });

  test("that holds copies instead of links becomes a version of its own, and no key is lost", async () => {
    const served = issueForTest({ names: [NAME] });
    await rm(tree.at("live", NAME), { recursive: true });
    await mkdir(tree.at("live", NAME));
    await writeArchived(tree.at("live", NAME), 9, served);
    for (const kind of ["cert", "chain", "fullchain", "privkey"]) {
      await rename(tree.at("live", NAME, `${kind}9.pem`), tree.at("live", NAME, `${kind}.pem`));
    }
    const [listed] = await tree.store.list();
    expect(listed).toMatchObject({ current: undefined, problem: { code: "LINEAGE_BROKEN" } });
    expect(await tree.store.recover()).toEqual([
      { lineage: NAME, did: expect.stringContaining("version 2") as string },
    ]);
    expect(await readFile(tree.at("live", NAME, "privkey.pem"), "utf8")).toBe(served.privateKeyPem);
    expect((await readdir(tree.at("live"))).sort()).toEqual([".a.test.2", "a.test"]);
  });
});

test("a conf that somebody has changed since an install died is not written over", async () => {
  await tree.store.install(newVersion(NAME), new Date());
  const [conf, prepared] = [tree.at("renewal", `${NAME}.conf`), tree.at("renewal", `.${NAME}.conf.prepared`)];
  await copyFile(conf, prepared);
  await utimes(prepared, new Date(0), new Date(0));
  await appendFile(conf, "[extra]\nkey = 1\n");
  expect(await tree.store.recover()).toEqual([]);
  expect(await readFile(conf, "utf8")).toContain("[extra]\nkey = 1\n");
  expect(await readdir(tree.at("renewal"))).toEqual([`${NAME}.conf`]);
});

test("an install that died is neither finished nor taken back while the disk doesn't give its files back", async () => {
  await tree.store.install(newVersion(NAME), new Date());
  await writeArchived(tree.at("archive", NAME), 2, issueForTest({ names: [NAME] }));
  await mkdir(tree.at("live", `.${NAME}.2`));
  for (const kind of ["cert", "chain", "fullchain", "privkey"]) {
    await symlink(`../../archive/${NAME}/${kind}2.pem`, tree.at("live", `.${NAME}.2`, `${kind}.pem`));
  }
  const fs = steppedFiles((_, call) => {
    if (!call.startsWith(`readFile ${tree.at("archive", NAME, "privkey2.pem")}`)) return;
    throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
  });
  expect(await (await openTestStore({ root: tree.root, fs })).store.recover()).toEqual([]);
  expect(await tree.store.recover()).toMatchObject([{ did: expect.stringContaining("published version 2") as string }]);
});

test("of the versions in the archive the newest that is whole is shown again, none whose files are of two", async () => {
  for (let count = 1; count <= 2; count += 1) await tree.store.install(newVersion(NAME), new Date());
  await copyFile(tree.at("archive", NAME, "cert1.pem"), tree.at("archive", NAME, "cert2.pem"));
  await rm(tree.at("live", NAME));
  await tree.store.recover();
  expect(await tree.currentVersion()).toBe(1);
});

describe("showing another version", () => {
  beforeEach(async () => {
    for (let count = 1; count <= 3; count += 1) await tree.store.install(newVersion(NAME), new Date());
  });

  test("goes back and forth by the link, and stays there", async () => {
    const previous = await tree.store.previousVersion(NAME, 3);
    expect(previous?.version).toBe(2);
    expect((await tree.store.show(NAME, 2)).leaf).toEqual(previous?.leaf);
    expect(await tree.currentVersion()).toBe(2);
    expect(await tree.store.recover()).toEqual([]);
    expect(await tree.currentVersion()).toBe(2);
    await tree.store.show(NAME, 3);
    await tree.store.show(NAME, 3);
    expect(await tree.currentVersion()).toBe(3);
    expect(await isServable(tree.root, NAME)).toBe(true);
  });

  test("never gives a number out twice after going back", async () => {
    await tree.store.show(NAME, 1);
    expect((await tree.store.install(newVersion(NAME), new Date())).version).toBe(4);
  });

  test("passes over versions that are broken", async () => {
    await writeFile(tree.at("archive", NAME, "privkey2.pem"), "");
    expect((await tree.store.previousVersion(NAME, 3))?.version).toBe(1);
    expect(await tree.store.previousVersion(NAME, 1)).toBeUndefined();
    const error = await thrownBy(tree.store.show(NAME, 2));
    expect(error.code).toBe("VERSION_UNUSABLE");
    expect(await tree.currentVersion()).toBe(3);
  });

  test("mends the links that a certbot left half changed in the folder that is shown", async () => {
    await unlink(tree.at("live", NAME, "privkey.pem"));
    await symlink(`../../archive/${NAME}/privkey1.pem`, tree.at("live", NAME, "privkey.pem"));
    expect((await tree.store.list())[0]).toMatchObject({ current: undefined, problem: { code: "LINEAGE_BROKEN" } });
    await tree.store.show(NAME, 3);
    expect(await isServable(tree.root, NAME)).toBe(true);
  });
});

describe("recovery", () => {
  beforeEach(async () => {
    for (let count = 1; count <= 2; count += 1) await tree.store.install(newVersion(NAME), new Date());
  });

  test.each([
    ["live/<name> is gone", () => rm(tree.at("live", NAME))],
    ["the generation is gone", () => rm(tree.at("live", ".a.test.2"), { recursive: true })],
    ["a link in it is gone", () => unlink(tree.at("live", NAME, "privkey.pem"))],
    ["the whole live folder is gone", () => rm(tree.at("live"), { recursive: true })],
  ])("shows the newest good version again when %s", async (_, breakIt) => {
    await breakIt();
    expect((await tree.store.list())[0]?.problem?.code).toBe("LINEAGE_BROKEN");
    if (!(await readdir(tree.root)).includes("live")) await mkdir(tree.at("live"));
    expect(await tree.store.recover()).toHaveLength(1);
    expect(await tree.currentVersion()).toBe(2);
    expect(await tree.store.recover()).toEqual([]);
  });

  test("goes back to the version before when the newest one is broken, and keeps its files", async () => {
    await copyFile(tree.at("archive", NAME, "privkey1.pem"), tree.at("archive", NAME, "privkey2.pem"));
    expect(await tree.store.recover()).toEqual([
      { lineage: NAME, did: expect.stringContaining("version 1") as string },
    ]);
    expect(await tree.currentVersion()).toBe(1);
    expect(await readdir(tree.at("archive", NAME))).toHaveLength(8);
  });

  test("takes away what certbot delete leaves, so that certbot can issue again", async () => {
    await rm(tree.at("renewal", `${NAME}.conf`));
    await rm(tree.at("archive", NAME), { recursive: true });
    for (const file of await readdir(tree.at("live", NAME))) await unlink(tree.at("live", NAME, file));
    expect(await tree.store.recover()).toHaveLength(1);
    expect(await readdir(tree.at("live"))).not.toContain(NAME);
    expect(await tree.store.recover()).toEqual([]);
  });

  test("leaves lineages without a conf alone", async () => {
    await rm(tree.at("renewal", `${NAME}.conf`));
    expect(await tree.store.recover()).toEqual([]);
    expect(await isServable(tree.root, NAME)).toBe(true);
    expect(await tree.store.list()).toMatchObject([{ name: NAME, current: { version: 2 } }]);
  });

  test("mends what is wanted without a conf, from the archive or from copies, but not with what no CA has issued", async () => {
    await rm(tree.at("renewal", `${NAME}.conf`));
    await rm(tree.at("live", NAME));
    const [copied, dummy] = ["copied.test", "dummy.test"];
    const issued = [issueForTest({ names: [copied] }), issueForTest({ names: [dummy], issuer: dummy })] as const;
    for (const [index, name] of [copied, dummy].entries()) {
      await mkdir(tree.at("live", name));
      const { certificatePem, chainPem, privateKeyPem } = issued[index] ?? issued[0];
      const texts = {
        cert: certificatePem,
        chain: chainPem,
        fullchain: certificatePem + chainPem,
        privkey: privateKeyPem,
      };
      for (const [kind, text] of Object.entries(texts)) await writeFile(tree.at("live", name, `${kind}.pem`), text);
    }
    const wanted = [NAME, copied, dummy, "none.test", "un/safe"];
    expect((await tree.store.recover(wanted)).map(({ lineage }) => lineage)).toEqual([NAME, copied]);
    expect((await tree.store.list()).map(({ name, current }) => [name, current?.version])).toEqual([
      [NAME, 2],
      [copied, 1],
    ]);
    expect(await tree.store.recover(wanted)).toEqual([]);
  });

  test("mends the others when one can't be mended", async () => {
    await tree.store.install(newVersion("b.test"), new Date());
    await rm(tree.at("live", "b.test"));
    await rm(tree.at("live", NAME));
    await mkdir(tree.at("live", `.${NAME}.next`));
    await mkdir(tree.at("live", `.${NAME}.next`, "full"));
    expect(await tree.store.recover()).toMatchObject([{ lineage: "b.test" }]);
    expect(tree.lines).toMatchObject([{ level: "error", event: "lineage.failed", fields: { lineage: NAME } }]);
    expect(await tree.currentVersion("b.test")).toBe(1);
  });

  test("has nothing to do in an empty tree, or in none", async () => {
    await rm(tree.root, { recursive: true });
    expect(await tree.store.recover()).toEqual([]);
    expect(await tree.store.list()).toEqual([]);
  });
});
