import { rm, stat, symlink, utimes } from "node:fs/promises";
import { expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import { putCertbotLineage } from "../../support/lineage-tree.ts";
import { openTestStore, thrownBy } from "../../support/test-store.ts";

const OLD = new Date("2026-01-01T00:00:00Z");
const NOW = new Date("2026-03-01T00:00:00Z");

test("the files of a version get the new time, and what a link leads to keeps its own", async () => {
  const { root, store, at } = await openTestStore();
  await putCertbotLineage(root, "a.test", issueForTest({ names: ["a.test"] }));
  const file = (kind: string) => at("archive/a.test", `${kind}1.pem`);
  await rm(file("privkey"));
  await symlink("/etc/hostname", file("privkey"));
  const outside = (await stat(file("privkey"))).mtimeMs;
  for (const kind of ["cert", "chain", "fullchain"]) await utimes(file(kind), OLD, OLD);
  await store.touch("a.test", 1, NOW);
  for (const kind of ["cert", "chain", "fullchain"]) expect((await stat(file(kind))).mtime).toEqual(NOW);
  expect((await stat(file("privkey"))).mtimeMs).toBe(outside);
});

test("a version that isn't there, and a name that leads out of the tree, are refused", async () => {
  const { store } = await openTestStore();
  expect((await thrownBy(store.touch("a.test", 1, NOW))).message).toContain("give the files of a.test a new time");
  expect((await thrownBy(store.touch("../a.test", 1, NOW))).code).toBe("LINEAGE_NAME_UNSAFE");
});
