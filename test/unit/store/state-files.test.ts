import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { FRESH_STATE, type StoredOrder, type Try } from "../../../src/reconcile/index.ts";
import { newVersion } from "../../support/lineage-tree.ts";
import { steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, thrownBy, type TestStore } from "../../support/test-store.ts";

const NAME = "a.test";

const { issued } = newVersion(NAME);

const openOrder = (): StoredOrder => ({
  schema: 1,
  url: "https://acme.test/order/1",
  privateKeyPem: issued.privateKeyPem,
  isReplacement: true,
  isKeyReused: true,
  directoryUrl: "https://acme.test/directory",
  names: NAME,
  keyType: "ecdsa-p256",
  profile: undefined,
  sentAt: "2026-01-01T00:00:00.000Z",
});

const FAILED: Try = {
  stage: "order",
  outcome: "failed",
  at: "2026-01-01T00:00:00.000Z",
  failures: 3,
  nextAttemptAt: "2026-01-02T00:00:00.000Z",
};

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

describe("our own files", () => {
  test("lose at the start what a death has left of their writing, keys and all, and no file of another's", async () => {
    const folders = ["renewal", "sidecar", "sidecar/cas", "sidecar/orders"];
    for (const folder of folders) {
      await mkdir(tree.at(folder), { recursive: true });
      for (const name of [".a.test.json.new", "theirs.new", ".theirs"]) await writeFile(tree.at(folder, name), "half");
    }
    await tree.store.recover();
    for (const folder of folders) {
      expect((await readdir(tree.at(folder))).filter((name) => /theirs|new/.test(name)).sort()).toEqual([
        ".theirs",
        "theirs.new",
      ]);
    }
  });

  test("bring a state back as it was saved, and no one else may read it", async () => {
    const state = { ...FRESH_STATE, tries: [FAILED] };
    await tree.store.saveState(NAME, state);
    expect(await tree.store.loadState(NAME)).toEqual(state);
    expect((await stat(tree.at("sidecar", `${NAME}.json`))).mode & 0o777).toBe(0o600);
    expect((await stat(tree.at("sidecar"))).mode & 0o777).toBe(0o755);
    expect(await tree.store.loadState("other.test")).toEqual(FRESH_STATE);
  });

  test.each(["", "{", "null", "[]", "7", '{"issue":{"failures":1},"deploy":{}}', '{"schema":2}'])(
    "begin afresh when the state is %j, which is kept aside and told",
    async (text) => {
      await tree.store.saveState(NAME, FRESH_STATE);
      await writeFile(tree.at("sidecar", `${NAME}.json`), text);
      expect(await tree.store.loadState(NAME)).toEqual(FRESH_STATE);
      const [aside] = await readdir(tree.at("sidecar"));
      expect(aside).toMatch(/^a\.test\.json\.corrupt-\d+$/);
      expect(tree.lines).toMatchObject([{ level: "warn", event: "state.repaired", fields: { lineage: NAME } }]);
    },
  );

  test.each([
    ["EIO", "STORE_FAILED"],
    ["EMFILE", "STORE_FAILED"],
    ["EACCES", "STORE_NOT_WRITABLE"],
  ])("keep a back-off that can't be read because of %s, and say so", async (errno, code) => {
    const state = { ...FRESH_STATE, tries: [FAILED] };
    await tree.store.saveState(NAME, state);
    const fs = steppedFiles((_, call) => {
      if (call.startsWith("readFile")) throw Object.assign(new Error(`${errno}: simulated`), { code: errno });
    });
    const { store } = await openTestStore({ root: tree.root, fs });
    expect(await thrownBy(store.loadState(NAME))).toMatchObject({
      code,
      message: expect.stringContaining(tree.at("sidecar", `${NAME}.json`)),
    });
    expect(await tree.store.loadState(NAME)).toEqual(state);
    expect(tree.lines).toEqual([]);
  });

  test("keep an open order with its key, which no one else may read, until it is forgotten", async () => {
    expect(await tree.store.loadOrder(NAME)).toBeUndefined();
    await tree.store.removeOrder(NAME);
    const order = openOrder();
    await tree.store.saveOrder(NAME, order);
    expect(await tree.store.loadOrder(NAME)).toEqual(order);
    expect((await stat(tree.at("sidecar", "orders"))).mode & 0o777).toBe(0o700);
    expect((await stat(tree.at("sidecar", "orders", `${NAME}.json`))).mode & 0o777).toBe(0o600);
    await tree.store.removeOrder(NAME);
    await tree.store.removeOrder(NAME);
    expect(await tree.store.loadOrder(NAME)).toBeUndefined();
  });

  test.each(["", "{}", "url", "privateKeyPem", "directoryUrl", "names", "keyType", "sentAt"])(
    "put an open order aside that lacks what it needs: %j",
    async (missing) => {
      const path = tree.at("sidecar", "orders", `${NAME}.json`);
      await tree.store.saveOrder(NAME, openOrder());
      const text = JSON.stringify({ ...openOrder(), [missing]: undefined });
      await writeFile(path, /^\w/.test(missing) ? text : missing);
      expect(await tree.store.loadOrder(NAME)).toBeUndefined();
      expect(await readdir(tree.at("sidecar", "orders"))).toEqual([
        expect.stringMatching(/^a\.test\.json\.corrupt-\d+$/),
      ]);
      expect(tree.lines).toMatchObject([{ level: "warn", event: "state.repaired", fields: { lineage: NAME } }]);
    },
  );

  test("lose at the start the orders of more than two days ago, broken ones too, with their keys", async () => {
    const at = (entry: string) => tree.at("sidecar", "orders", entry);
    await tree.store.saveOrder(NAME, openOrder());
    await tree.store.saveOrder("old.test", openOrder());
    await tree.store.saveOrder("daily.test", openOrder());
    await writeFile(at("old.test.json.corrupt-1"), "{");
    const before = new Date(Date.now() - 49 * 3600_000);
    const aTryAgo = new Date(Date.now() - 27 * 3600_000);
    await utimes(at("daily.test.json"), aTryAgo, aTryAgo);
    await mkdir(at("somebody's"));
    await symlink("nowhere", at("stray"));
    for (const entry of ["old.test.json", "old.test.json.corrupt-1", "somebody's"])
      await utimes(at(entry), before, before);
    await tree.store.recover();
    expect((await readdir(tree.at("sidecar", "orders"))).sort()).toEqual(
      [`${NAME}.json`, "daily.test.json", "somebody's", "stray"].sort(),
    );
  });

  test("take no open order whose key can't be read", async () => {
    await tree.store.saveOrder(NAME, { ...openOrder(), privateKeyPem: "-----BEGIN PRIVATE KEY-----" });
    expect(await tree.store.loadOrder(NAME)).toBeUndefined();
    expect(tree.lines).toMatchObject([{ event: "state.repaired" }]);
  });

  test("hold the list for nginx, written only when it changes", async () => {
    const certificates = [
      { lineage: NAME, identifiers: [NAME, "*.a.test"].map(parseIdentifier), isDefault: false, isReal: true },
      {
        lineage: "b.test-0001",
        identifiers: ["b.test", "192.0.2.1", "2001:db8::1"].map(parseIdentifier),
        isDefault: true,
        isReal: false,
      },
    ];
    await tree.store.saveCertificateList(certificates);
    const path = tree.at("sidecar", "certificates");
    expect(await readFile(path, "utf8")).toBe(
      "a.test - real a.test *.a.test\nb.test-0001 default test b.test 192.0.2.1 [2001:db8::1]\n",
    );
    const before = await stat(path);
    expect(before.mode & 0o777).toBe(0o644);
    await tree.store.saveCertificateList(certificates);
    expect((await stat(path)).ino).toBe(before.ino);
    await tree.store.saveCertificateList([]);
    expect(await readFile(path, "utf8")).toBe("");
  });

  test("leave out of nginx's list what no name in its configuration can have, and keep the rest", async () => {
    const listed = (...values: readonly string[]) => {
      const identifiers = values.map((value) => ({ type: "dns", value }) as const);
      return { lineage: values.at(-1) ?? "", identifiers, isDefault: false, isReal: true };
    };
    await tree.store.saveCertificateList([
      listed("x;return", "a b", "münchen.test", "a.test"),
      listed("y{", "b.test}"),
      listed("../up", "c.test/.."),
    ]);
    expect(await readFile(tree.at("sidecar", "certificates"), "utf8")).toBe("a.test - real a.test\n");
  });
});
