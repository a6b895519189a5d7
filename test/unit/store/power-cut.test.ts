import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { accountIdOf } from "../../../src/certificate/index.ts";
import {
  attemptsOf,
  freshLedger,
  FRESH_STATE,
  type Account,
  type LineageStore,
  type Try,
} from "../../../src/reconcile/index.ts";
import { createAccountStore, type FileSystem } from "../../../src/store/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import {
  certbotConf,
  isServable,
  listTree,
  newVersion,
  putCertbotLineage,
  SETTINGS,
} from "../../support/lineage-tree.ts";
import { type Cut, powerCuts } from "../../support/power-cut.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";
import { openTestStore } from "../../support/test-store.ts";

const NAME = "a.test";
const URL = SETTINGS.directoryUrl;
const AT = new Date("2026-06-01T00:00:00Z");

type Accounts = ReturnType<typeof createAccountStore>;

/**
 * What power cuts have left other than what they may: one of `allowed` at any call, the last of these once all was done. None
 * where all is well.
 */
async function surprises<Found>(
  cuts: readonly Cut[],
  allowed: readonly Found[],
  look: (root: string) => Promise<Found>,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const { call, names, root } of cuts) {
    const found = await look(root);
    const isRight = (call === "done" ? allowed.slice(-1) : allowed).some((one) => isDeepStrictEqual(one, found));
    const left = `${call}, of names that were not synced ${names} written: ${JSON.stringify(found)}`;
    if (!isRight) wrong.push(left);
  }
  return wrong;
}

const failedTry = (failures: number): Try => ({ stage: "order", outcome: "failed", at: AT.toISOString(), failures });

/** What was kept last is told by a number; nothing kept is 0. */
type Kept = {
  readonly what: string;
  readonly keep: (store: LineageStore, count: number) => Promise<void>;
  readonly read: (store: LineageStore, root: string) => Promise<number>;
};

const KEPT: readonly Kept[] = [
  {
    what: "a certificate's state",
    keep: (store, failures) => store.saveState(NAME, { ...FRESH_STATE, tries: [failedTry(failures)] }),
    read: async (store) => attemptsOf((await store.loadState(NAME)).tries).failures,
  },
  {
    what: "a CA's ledger",
    keep: (store, count) => {
      const orders = Array.from({ length: count }, () => ({
        at: AT.toISOString(),
        names: NAME,
        isExempt: false,
        isIssued: true,
      }));
      return store.saveLedger({ ...freshLedger(URL), spending: { orders, failedValidations: [] } });
    },
    read: async (store) => (await store.loadLedger(URL)).spending.orders.length,
  },
  {
    what: "an open order with its key",
    keep: (store, count) =>
      store.saveOrder(NAME, {
        schema: 1,
        url: `${URL}/order/${count}`,
        privateKeyPem: makeAccount().privateKeyPem,
        isReplacement: false,
        isKeyReused: false,
        directoryUrl: URL,
        names: NAME,
        keyType: "ecdsa-p256",
        sentAt: AT.toISOString(),
      }),
    read: async (store) => Number((await store.loadOrder(NAME))?.url.at(-1) ?? 0),
  },
  {
    what: "the list of certificates",
    keep: (store, count) => {
      const identifiers = [{ type: "dns", value: NAME } as const];
      return store.saveCertificateList([{ lineage: `${count}.test`, identifiers, isDefault: true, isReal: true }]);
    },
    read: async (_, root) => {
      const list = await readFile(join(root, "sidecar", "certificates"), "utf8").catch(() => "0.test\n");
      return Number(/^(\d)\.test(?: default real \S+)?\n$/.exec(list)?.[1]);
    },
  },
];

describe.each(KEPT)("$what that is written", ({ keep, read }) => {
  test.each([
    ["for the first time", 0],
    ["anew", 1],
  ])("%s is the old or the new one after a power cut, and the new one once it is written", async (_, before) => {
    const root = await folderInMemory();
    if (before > 0) await keep((await openTestStore({ root })).store, before);
    const cuts = await powerCuts(root, async (fs) => keep((await openTestStore({ root, fs })).store, before + 1));
    const look = async (left: string) => {
      const { store, lines } = await openTestStore({ root: left });
      // What began afresh is neither.
      return { found: await read(store, left), told: lines.map(({ event }) => event) };
    };
    const allowed = [before, before + 1].map((found) => ({ found, told: [] }));
    expect(await surprises(cuts, allowed, look)).toEqual([]);
  });
});

test("a version that is shown again is shown, or the one before it, after a power cut", async () => {
  const root = await folderInMemory();
  const { store } = await openTestStore({ root });
  for (let count = 0; count < 2; count += 1) await store.install(newVersion(NAME), new Date());
  const cuts = await powerCuts(root, async (fs) => (await openTestStore({ root, fs })).store.show(NAME, 1));
  expect(await surprises(cuts, [2, 1], shownIn)).toEqual([]);
});

test("what people keep beside a certificate is whole in whichever version is shown after a power cut", async () => {
  const root = await folderInMemory();
  const install = async (fs?: FileSystem) =>
    (await openTestStore({ root, ...(fs && { fs }) })).store.install(newVersion(NAME), new Date());
  await install();
  await mkdir(join(root, "live", NAME, "theirs"));
  const own = ["combined.pem", "theirs/dhparam.pem"];
  for (const name of own) await writeFile(join(root, "live", NAME, name), name);
  const look = (left: string) =>
    Promise.all(own.map((name) => readFile(join(left, "live", NAME, name), "utf8").catch(() => "lost")));
  expect(await surprises(await powerCuts(root, install), [own], look)).toEqual([]);
});

test("certbot's folder that a death in its conversion left aside is put back, and stays so after a power cut", async () => {
  const root = await folderInMemory();
  await putCertbotLineage(root, NAME, issueForTest({ names: [NAME] }));
  await rename(join(root, "live", NAME), join(root, "live", `.${NAME}.adopted`));
  const cuts = await powerCuts(root, async (fs) => (await openTestStore({ root, fs })).store.recover());
  expect(await surprises(cuts, [undefined, 1], shownIn)).toEqual([]);
  for (const cut of cuts) await (await openTestStore({ root: cut.root })).store.recover();
  expect(await surprises(cuts, [1], shownIn)).toEqual([]);
});

describe("after a power cut", () => {
  test("a coming account's key is kept once it has been prepared, whatever comes of its account", async () => {
    const [root, account] = [await folderInMemory(), makeAccount()];
    const key = { id: account.id, privateKeyPem: account.privateKeyPem };
    const look = async (left: string) => {
      const accounts = createAccountStore({ root: left });
      const saved = await accounts.find(URL);
      // What is saved is no longer pending.
      return { saved, pending: saved ? undefined : await accounts.pendingRegistration(URL) };
    };
    const [nothing, pending, saved] = [
      { saved: undefined, pending: undefined },
      { saved: undefined, pending: key },
      account,
    ];
    const prepared = await accountCuts(root, (accounts) => accounts.prepareRegistration(URL, account));
    expect(await surprises<unknown>(prepared, [nothing, pending], look)).toEqual([]);
    const kept = await accountCuts(root, (accounts) => accounts.save(URL, account, { createdAt: AT }));
    expect(await surprises<unknown>(kept, [pending, { saved, pending: undefined }], look)).toEqual([]);
  });

  test("an account that was put aside is in one place or the other, with its key", async () => {
    const [root, account] = [await folderInMemory(), makeAccount()];
    await createAccountStore({ root }).save(URL, account, { createdAt: AT });
    const cuts = await accountCuts(root, (accounts) => accounts.setAside(URL, account.id));
    const find = async (left: string) => (await createAccountStore({ root: left }).find(URL))?.id;
    expect(await surprises(cuts, [account.id, undefined], find)).toEqual([]);
    const hasKey = async (left: string) =>
      (await listTree(left)).some((line) => line.endsWith(`${account.id}/private_key.json`));
    expect(await surprises(cuts, [true], hasKey)).toEqual([]);
  });

  test("a change of an account's key is pending or done, and confs name an account that is there", async () => {
    const [root, before, key] = [await folderInMemory(), makeAccount(), makeAccount()];
    const change = { previousId: before.id, account: key };
    await createAccountStore({ root }).save(URL, before, { createdAt: AT });
    await mkdir(join(root, "renewal"));
    const conf = certbotConf(root, NAME).replace(/account = .*/, `account = ${before.id}`);
    await writeFile(join(root, "renewal", `${NAME}.conf`), conf);
    const look = async (left: string) => {
      const accounts = createAccountStore({ root: left });
      const [listed] = await (await openTestStore({ root: left })).store.list();
      const named = listed?.settings?.accountId;
      const isThere = (await accounts.find(URL, named))?.id === named;
      return { named, isThere, pending: await accounts.pendingKeyChanges(URL) };
    };
    const unchanged = { named: before.id, isThere: true, pending: [] };
    const pending = { ...unchanged, pending: [change] };
    const renamed = { ...pending, named: key.id };
    const prepared = await accountCuts(root, (accounts) => accounts.prepareKeyChange(URL, change));
    expect(await surprises(prepared, [unchanged, pending], look)).toEqual([]);
    const finished = await accountCuts(root, (accounts) => accounts.finishKeyChange(URL, change));
    expect(await surprises(finished, [pending, renamed, { ...renamed, pending: [] }], look)).toEqual([]);
  });
});

async function shownIn(root: string): Promise<number | undefined> {
  const shown = await (await openTestStore({ root })).currentVersion();
  return (await isServable(root, NAME)) ? shown : undefined;
}

function accountCuts(root: string, act: (accounts: Accounts) => Promise<unknown>): Promise<Cut[]> {
  return powerCuts(root, (fs) => act(createAccountStore({ root, fs })));
}

function makeAccount(): Account {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { id: accountIdOf(privateKeyPem), privateKeyPem, url: "https://ca.test/acct/1" };
}
