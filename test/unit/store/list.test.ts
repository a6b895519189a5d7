import { link } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import { newVersion, putCertbotLineage } from "../../support/lineage-tree.ts";
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
  // Four links, the pair, the conf; and the folder once.
  expect(calls).toBe(20 * 7 + 1);
});

test("a lineage whose name can't be used is listed with that problem and keeps nobody from the others", async () => {
  await putCertbotLineage(tree.root, NAME, issueForTest({ names: [NAME] }));
  await link(tree.at("renewal", `${NAME}.conf`), tree.at("renewal", "my cert.conf"));
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
