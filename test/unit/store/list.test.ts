import { link, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import { certbotConf, newVersion, putCertbotLineage } from "../../support/lineage-tree.ts";
import { steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, type TestStore } from "../../support/test-store.ts";

const NAME = "a.test";

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

test("listing takes few calls for each lineage, since people have hundreds", async () => {
  for (let count = 0; count < 20; count += 1) {
    await putCertbotLineage(tree.root, `l${count}.test`, issueForTest({ names: [`l${count}.test`] }));
  }
  let calls = 0;
  const counted = await openTestStore({ root: tree.root, fs: steppedFiles(() => (calls += 1)) });
  expect(await counted.store.list()).toHaveLength(20);
  // Four links, the pair, the conf; and the two folders once.
  expect(calls).toBe(20 * 7 + 2);
});

test("a lineage whose name can't be used is listed with that problem and keeps nobody from the others", async () => {
  await putCertbotLineage(tree.root, NAME, issueForTest({ names: [NAME] }));
  await link(tree.at("renewal", `${NAME}.conf`), tree.at("renewal", "my cert.conf"));
  await symlink(NAME, tree.at("live", "my cert"));
  const listed = await tree.store.list();
  expect(listed.map(({ name, problem }) => [name, problem?.code])).toEqual([
    [NAME, undefined],
    ["my cert", "LINEAGE_NAME_UNSAFE"],
  ]);
});

test("a file that the disk doesn't give back is told as that, and nothing is mended because of it", async () => {
  await tree.store.install(newVersion(NAME), new Date());
  await tree.store.install(newVersion(NAME), new Date());
  const fs = steppedFiles((_, call) => {
    if (/readFile .*live.*privkey/.test(call)) throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
  });
  const failing = await openTestStore({ root: tree.root, fs });
  const [listed] = await failing.store.list();
  expect(listed?.problem).toMatchObject({ code: "STORE_FAILED", message: expect.stringContaining("EIO") as string });
  expect(await failing.store.recover()).toEqual([]);
  expect(await tree.currentVersion()).toBe(2);
});

test("what looks like a conf and is no lineage's is a stray, and no lineage", async () => {
  await putCertbotLineage(tree.root, NAME, issueForTest({ names: [NAME] }));
  const conf = tree.at("renewal", `${NAME}.conf`);
  for (const copy of [`copy of ${NAME}.conf`, `${NAME}.bak.conf`]) await link(conf, tree.at("renewal", copy));
  await mkdir(tree.at("renewal", "dir.conf"));
  await symlink("nowhere", tree.at("renewal", "dangling.conf"));
  await writeFile(tree.at("renewal", "empty.conf"), "");
  for (const name of ["notes.txt", `${NAME}.conf~`, `.${NAME}.conf.swp`]) {
    await writeFile(tree.at("renewal", name), "no conf");
  }
  expect((await tree.store.list()).map(({ name }) => name)).toEqual([NAME]);
  const strays = await tree.store.strays();
  expect(strays.map(({ path, reason }) => `${path.replace(tree.at("renewal/"), "")}: ${reason}`)).toEqual([
    expect.stringMatching(/^a\.test\.bak\.conf: it is a copy of a\.test's$/),
    expect.stringMatching(/^copy of a\.test\.conf: .*can't be the name of a folder/),
    expect.stringMatching(/^dangling\.conf: ENOENT/),
    expect.stringMatching(/^dir\.conf: EISDIR/),
    expect.stringMatching(/^empty\.conf: has no \[renewalparams\]$/),
  ]);
  expect(strays[0]?.remedy).toBe(`Rename or delete ${tree.at("renewal", "a.test.bak.conf")}.`);
});

test("a broken conf of a lineage that has files is a problem, and one that can't be read now is no stray", async () => {
  await tree.store.install(newVersion(NAME), new Date());
  await writeFile(tree.at("renewal", `${NAME}.conf`), "");
  await writeFile(tree.at("renewal", "archived.test.conf"), "no conf");
  await mkdir(tree.at("archive", "archived.test"));
  await writeFile(tree.at("archive", "archived.test", "cert1.pem"), "");
  await writeFile(tree.at("renewal", "lost.test.conf"), certbotConf(tree.root, "lost.test"));
  await writeFile(tree.at("renewal", "unread.test.conf"), "");
  const fs = steppedFiles((_, call) => {
    if (/readFile .*unread/.test(call)) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO", errno: -5 });
  });
  const failing = await openTestStore({ root: tree.root, fs });
  const listed = (await failing.store.list()).map(({ name, current, problem }) => [
    name,
    current?.version,
    problem?.code,
  ]);
  expect(listed).toEqual([
    [NAME, 1, "RENEWAL_CONF_UNREADABLE"],
    ["archived.test", undefined, "RENEWAL_CONF_UNREADABLE"],
    ["lost.test", undefined, "LINEAGE_BROKEN"],
    ["unread.test", undefined, "RENEWAL_CONF_UNREADABLE"],
  ]);
  expect(await failing.store.strays()).toEqual([]);
});

test("a pair without a conf is listed where a CA has issued it", async () => {
  await putCertbotLineage(tree.root, NAME, issueForTest({ names: [NAME] }));
  await putCertbotLineage(tree.root, "dummy.test", issueForTest({ names: ["dummy.test"], issuer: "dummy.test" }));
  await mkdir(tree.at("live", "half.test"));
  await writeFile(tree.at("live", "README"), "");
  await rm(tree.at("renewal"), { recursive: true });
  expect(await tree.store.list()).toMatchObject([{ name: NAME, current: { version: 1 } }]);
});
