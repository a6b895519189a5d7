import { expect, test } from "vitest";
import { changeAccountKey, type AccountChoice, type StoredLineage } from "../../../src/reconcile/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { SETTINGS } from "../../support/lineage-tree.ts";

const HERE = SETTINGS.directoryUrl;
const ELSEWHERE = "https://other.test/dir";

const named = (accountId: string | undefined, directoryUrl = HERE): StoredLineage => ({
  name: `${accountId}.test`,
  settings: { ...SETTINGS, accountId, directoryUrl },
});

/** Which account is chosen for a tree of these lineages. */
async function chosen(lineages: readonly StoredLineage[], { isOurs = true } = {}): Promise<AccountChoice[]> {
  const choices: AccountChoice[] = [];
  const changeKey = async (choice: AccountChoice) => {
    choices.push(choice);
    return { previousId: "old", account: { id: "new", privateKeyPem: "", url: "" } };
  };
  // Of the parts, those that are used.
  const parts = {
    ca: { changeAccountKey: changeKey },
    store: { list: async () => lineages },
    policy: { directoryUrl: HERE },
    mayAct: async () => isOurs,
  };
  await changeAccountKey(parts, { log: collectLog(), signal: new AbortController().signal });
  return choices;
}

test("the key is changed of the account with which the lineages at the CA are renewed", async () => {
  const lineages = [named("a"), named("b", ELSEWHERE), named("a"), { name: "unreadable.test" }];
  expect(await chosen(lineages)).toEqual([{ directoryUrl: HERE, accountId: "a" }]);
});

test("the key is changed of the newest account where lineages name none, or several", async () => {
  const newest = [{ directoryUrl: HERE, accountId: undefined }];
  expect(await chosen([named("b", ELSEWHERE)])).toEqual(newest);
  expect(await chosen([named("a"), named("b")])).toEqual(newest);
});

test("no key is changed once the lock is another's", async () => {
  await expect(chosen([named("a")], { isOurs: false })).rejects.toMatchObject({ code: "LOCK_LOST" });
});
