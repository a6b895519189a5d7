import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { rm, symlink, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { issueForTest } from "../../support/issued-certificate.ts";
import { newVersion, putCertbotLineage } from "../../support/lineage-tree.ts";
import { steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, type TestStore } from "../../support/test-store.ts";

const NAME = "a.test";

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

describe("the private key of a version", () => {
  test("is given as it was installed", async () => {
    const version = newVersion(NAME);
    await tree.store.install(version, new Date());
    expect(await tree.store.privateKey(NAME, 1)).toBe(version.issued.privateKeyPem);
    expect(await tree.store.privateKey(NAME, 2)).toBeUndefined();
    expect(await tree.store.privateKey("../a.test", 1)).toBeUndefined();
  });

  test("is found behind the link that certbot makes for a key that is used again", async () => {
    const issued = issueForTest({ names: [NAME] });
    await putCertbotLineage(tree.root, NAME, issued);
    await symlink("privkey1.pem", tree.at("archive", NAME, "privkey2.pem"));
    expect(await tree.store.privateKey(NAME, 2)).toBe(issued.privateKeyPem);
  });

  test("is given in PKCS #8 when an old certbot wrote PKCS #1", async () => {
    const issued = issueForTest({ names: [NAME] });
    await putCertbotLineage(tree.root, NAME, issued);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await writeFile(tree.at("archive", NAME, "privkey1.pem"), privateKey.export({ type: "pkcs1", format: "pem" }));
    const given = (await tree.store.privateKey(NAME, 1)) ?? "";
    expect(given).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(createPrivateKey(given).equals(privateKey)).toBe(true);
  });

  test("is none when the file can't be read or holds none", async () => {
    const issued = issueForTest({ names: [NAME] });
    await putCertbotLineage(tree.root, NAME, issued);
    const fs = steppedFiles((_, call) => {
      if (call.startsWith("readFile")) throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    });
    const { store } = await openTestStore({ root: tree.root, fs });
    expect(await store.privateKey(NAME, 1)).toBeUndefined();
    await rm(tree.at("archive", NAME, "privkey1.pem"));
    await writeFile(tree.at("archive", NAME, "privkey1.pem"), issued.certificatePem);
    expect(await tree.store.privateKey(NAME, 1)).toBeUndefined();
  });
});
