import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { freshLedger, type CaLedger } from "../../../src/reconcile/index.ts";
import { listTree } from "../../support/lineage-tree.ts";
import { dyingFiles, failingFiles, steppedFiles } from "../../support/stepped-files.ts";
import { openTestStore, thrownBy, type TestStore } from "../../support/test-store.ts";

const URL = "https://acme.test:14000/dir";

const FAILURE = { code: "ACME_RATE_LIMITED", message: "the CA asks for patience", remedy: "Wait." };

const LEDGER: CaLedger = {
  schema: 1,
  directoryUrl: URL,
  spending: {
    orders: [
      { at: "2026-01-01T00:00:00.000Z", names: "a.test,b.test", isExempt: false, isIssued: true },
      { at: "2026-01-01T00:01:00.000Z", names: "c.test", isExempt: true, isIssued: false },
    ],
    failedValidations: [{ at: "2026-01-01T00:00:00.000Z", name: "a.test" }],
  },
  holds: [
    {
      scope: { kind: "account" },
      askedAt: "2026-01-01T00:00:00.000Z",
      until: "2026-01-02T00:00:00.000Z",
      failure: FAILURE,
    },
    {
      scope: { kind: "names", names: ["a.test"] },
      askedAt: "2026-01-01T00:00:00.000Z",
      until: "2026-01-02T00:00:00.000Z",
      failure: FAILURE,
    },
    {
      scope: { kind: "exact-set", names: "a.test,b.test" },
      askedAt: "2026-01-01T00:00:00.000Z",
      until: "2026-01-02T00:00:00.000Z",
      failure: FAILURE,
    },
  ],
};

let tree: TestStore;

beforeEach(async () => {
  tree = await openTestStore();
});

// The one file in sidecar/cas that isn't kept aside.
async function pathOfLedger(): Promise<string> {
  const [name = ""] = (await readdir(tree.at("sidecar", "cas"))).filter((entry) => entry.endsWith(".json"));
  return tree.at("sidecar", "cas", name);
}

describe("a CA's ledger", () => {
  test("counts an order as issued, and as exempt from no limit, where it doesn't say", async () => {
    await tree.store.saveLedger(LEDGER);
    const text = await readFile(await pathOfLedger(), "utf8");
    await writeFile(await pathOfLedger(), text.replaceAll(/"isExempt": true,\s*"isIssued": false/g, '"isExempt": 7'));
    const { spending } = await tree.store.loadLedger(URL);
    expect(spending.orders[1]).toMatchObject({ isExempt: false, isIssued: true });
  });

  test("comes back as it was saved, and no one else may read it", async () => {
    expect(await tree.store.loadLedger(URL)).toEqual(freshLedger(URL));
    await tree.store.saveLedger(LEDGER);
    expect(await tree.store.loadLedger(URL)).toEqual(LEDGER);
    expect((await stat(await pathOfLedger())).mode & 0o777).toBe(0o600);
    expect((await stat(tree.at("sidecar", "cas"))).mode & 0o777).toBe(0o755);
    expect(tree.lines).toEqual([]);
  });

  test("is shared by no two directories, however alike they are", async () => {
    const urls = [
      URL,
      `${URL}/`,
      "https://acme.test:14000/Dir",
      "https://acme.test/14000/dir",
      "https://acme.test:14000-dir",
      "https://../../../../x",
      "https://[2001:db8::1]:14000/dir?a=b",
      `https://acme.test/${"x".repeat(500)}1`,
      `https://acme.test/${"x".repeat(500)}2`,
      "no URL at all",
      "",
    ];
    for (const [index, directoryUrl] of urls.entries()) {
      const names = `${index}.test`;
      const orders = [{ at: "2026-01-01T00:00:00.000Z", names, isExempt: false, isIssued: true }];
      await tree.store.saveLedger({ ...freshLedger(directoryUrl), spending: { orders, failedValidations: [] } });
    }
    for (const [index, url] of urls.entries()) {
      expect((await tree.store.loadLedger(url)).spending.orders).toMatchObject([{ names: `${index}.test` }]);
    }
    const files = await readdir(tree.at("sidecar", "cas"));
    expect(files).toHaveLength(urls.length);
    expect(files.filter((name) => !/^[A-Za-z0-9-][A-Za-z0-9.-]*\.json$/.test(name))).toEqual([]);
  });

  test.each(["", "{", "null", '{"schema":1}', JSON.stringify({ ...LEDGER, directoryUrl: "https://other.test/dir" })])(
    "is begun afresh when it is %j, which is kept aside and told",
    async (text) => {
      await tree.store.saveLedger(LEDGER);
      const path = await pathOfLedger();
      await writeFile(path, text);
      expect(await tree.store.loadLedger(URL)).toEqual(freshLedger(URL));
      const [aside = ""] = await readdir(tree.at("sidecar", "cas"));
      expect(aside).toMatch(/\.json\.corrupt-\d+$/);
      expect(await readFile(tree.at("sidecar", "cas", aside), "utf8")).toBe(text);
      expect(tree.lines).toMatchObject([{ level: "warn", event: "state.repaired", fields: { ca: URL, path } }]);
    },
  );

  test("keeps the entries that make sense, and says once which don't", async () => {
    await tree.store.saveLedger(LEDGER);
    const path = await pathOfLedger();
    const broken = {
      ...LEDGER,
      spending: {
        orders: [...LEDGER.spending.orders, { at: "yesterday", names: "a.test" }, 7],
        failedValidations: { "a.test": 5 },
      },
      holds: [
        ...LEDGER.holds,
        {
          scope: { kind: "world" },
          askedAt: "2026-01-01T00:00:00.000Z",
          until: "2026-01-02T00:00:00.000Z",
          failure: FAILURE,
        },
      ],
    };
    await writeFile(path, JSON.stringify(broken));
    const spending = { ...LEDGER.spending, failedValidations: [] };
    expect(await tree.store.loadLedger(URL)).toEqual({ ...LEDGER, spending });
    expect(await tree.store.loadLedger(URL)).toEqual({ ...LEDGER, spending });
    expect(tree.lines).toHaveLength(1);
    expect(tree.lines[0]?.fields).toMatchObject({ ca: URL, reason: expect.stringContaining("spending.orders.2.at") });
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(broken);
  });

  test.each([
    ["EIO", "STORE_FAILED"],
    ["EACCES", "STORE_NOT_WRITABLE"],
  ])("is not taken for a fresh one when the disk answers %s", async (errno, code) => {
    await tree.store.saveLedger(LEDGER);
    const fs = steppedFiles((_, call) => {
      if (call.startsWith("readFile")) throw Object.assign(new Error(`${errno}: simulated`), { code: errno });
    });
    const { store } = await openTestStore({ root: tree.root, fs });
    expect(await thrownBy(store.loadLedger(URL))).toMatchObject({
      code,
      message: expect.stringContaining(await pathOfLedger()),
    });
    expect(await tree.store.loadLedger(URL)).toEqual(LEDGER);
  });

  test.each([
    ["the first time", undefined],
    ["again", LEDGER],
  ])("is the old or the new one after a death at any call while it is saved %s", async (_, before) => {
    const after = { ...LEDGER, holds: [] };
    let call: string | undefined = "none";
    for (let dieAt = 1; call !== undefined; dieAt += 1) {
      const sound = await openTestStore();
      if (before) await sound.store.saveLedger(before);
      const { fs, diedIn } = dyingFiles(dieAt);
      const { store } = await openTestStore({ root: sound.root, fs });
      await store.saveLedger(after).catch(() => undefined);
      call = diedIn();
      await sound.store.recover();
      expect([before ?? freshLedger(URL), after]).toContainEqual(await sound.store.loadLedger(URL));
      expect(sound.lines).toEqual([]);
      const left = (await listTree(sound.root)).filter((line) => line.endsWith(".new"));
      expect({ dieAt, call, left }).toEqual({ dieAt, call, left: [] });
    }
  });

  test("stays as it was when the disk is full", async () => {
    await tree.store.saveLedger(LEDGER);
    const { fs } = failingFiles(2, "ENOSPC");
    const { store } = await openTestStore({ root: tree.root, fs });
    expect(await thrownBy(store.saveLedger({ ...LEDGER, holds: [] }))).toMatchObject({ code: "STORE_DISK_FULL" });
    expect(await tree.store.loadLedger(URL)).toEqual(LEDGER);
  });
});
