import { execFile } from "node:child_process";
import { cpSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readLeaf } from "../../../src/certificate/index.ts";
import type { NewVersion } from "../../../src/reconcile/index.ts";
import { StoreError, type FileSystem } from "../../../src/store/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { isServable, listTree, newVersion, putCertbotLineage } from "../../support/lineage-tree.ts";
import { powerCuts } from "../../support/power-cut.ts";
import { dyingFiles, failingFiles, steppedFiles } from "../../support/stepped-files.ts";
import { folderInMemory, temporaryFolder } from "../../support/temporary-folder.ts";
import { openTestStore } from "../../support/test-store.ts";

const NAME = "a.test";

// What is there before the install that is interrupted, and what is shown then.
const SCENARIOS = [
  { before: "an empty tree", prepare: async () => undefined, version: undefined },
  { before: "certbot's own folder", prepare: putOwn, version: 1 },
  { before: "a version of ours", prepare: (root: string) => installTimes(root, 1), version: 1 },
  { before: "as many versions as are kept", prepare: (root: string) => installTimes(root, 7), version: 7 },
] as const;

async function putOwn(root: string): Promise<void> {
  await putCertbotLineage(root, NAME, issueForTest({ names: [NAME] }));
}

async function installTimes(root: string, times: number): Promise<void> {
  // Without fsync, which is what takes the time.
  const { store } = await openTestStore({ root, fs: steppedFiles(() => undefined) });
  for (let count = 0; count < times; count += 1) await store.install(newVersion(NAME), new Date());
}

/** What recovery and one more install must not leave: anything that points to an interruption, or to too much kept. */
async function findLeftovers(root: string): Promise<string[]> {
  const lines = await listTree(root);
  const odd = lines.filter((line) => /adopted|\.next|\.prepared|\.new/.test(line));
  const generations = lines.filter((line) => /^live\/\.a\.test\.\d+(-\d+)?$/.test(line));
  const files = lines.filter((line) => line.startsWith("archive/a.test/"));
  return [...odd, ...generations.slice(2), ...(files.length % 4 === 0 ? [] : files)];
}

describe.each(SCENARIOS)("an install into $before", ({ prepare, version }) => {
  test("that dies at any call leaves a pair that is shown, recovers, and installs again", async () => {
    const template = await folderInMemory();
    await prepare(template);
    let call: string | undefined = "none";
    for (let dieAt = 1; call !== undefined; dieAt += 1) {
      const root = await copyOf(template);
      const coming = newVersion(NAME);
      const { fs, diedIn } = dyingFiles(dieAt);
      const dying = await openTestStore({ root, fs });
      await dying.store.install(coming, new Date()).catch(() => undefined);
      call = diedIn();
      const faults = await faultsAfterDeath(root, { version, coming });
      expect({ dieAt, call, faults }).toEqual({ dieAt, call, faults: [] });
    }
  }, 60_000);

  test("that a power cut ends at any call leaves a pair that is shown, recovers, and installs again", async () => {
    const root = await folderInMemory();
    await prepare(root);
    const coming = newVersion(NAME);
    const install = async (fs: FileSystem) => (await openTestStore({ root, fs })).store.install(coming, new Date());
    const cuts = await powerCuts(root, install);
    for (const cut of cuts) {
      const faults = [
        ...(cut.call === "done" ? await faultsWhenDone(cut.root, coming) : []),
        ...(await faultsAfterDeath(cut.root, { version, coming })),
      ];
      expect({ ...cut, faults }).toEqual({ ...cut, faults: [] });
    }
    expect(cuts.length).toBeGreaterThan(30);
  }, 60_000);

  test("that fails at any call with a full disk leaves the old pair and nothing else", async () => {
    const template = await folderInMemory();
    await prepare(template);
    let call: string | undefined = "none";
    for (let failAt = 1; call !== undefined; failAt += 1) {
      const root = await copyOf(template);
      const { fs, failedIn } = failingFiles(failAt, "ENOSPC");
      const failing = await openTestStore({ root, fs });
      const outcome = await failing.store.install(newVersion(NAME), new Date()).catch((thrown: unknown) => thrown);
      call = failedIn();
      const faults = await faultsAfterFailure(root, { version, outcome, before: await listTree(template) });
      expect({ failAt, call, faults }).toEqual({ failAt, call, faults: [] });
    }
  }, 60_000);
});

// Links are copied as they are: those of a tree are relative. At once, which takes a tenth of the time.
async function copyOf(template: string): Promise<string> {
  const root = await folderInMemory();
  cpSync(template, root, { recursive: true, verbatimSymlinks: true });
  return root;
}

type Death = { readonly version: number | undefined; readonly coming: NewVersion };

async function faultsAfterDeath(root: string, { version, coming }: Death): Promise<string[]> {
  const faults: string[] = [];
  const must = (is: boolean, what: string) => void (is || faults.push(what));
  const { store, currentVersion } = await openTestStore({ root, fs: steppedFiles(() => undefined) });
  // In the one moment between the conversion's two renames there is no live folder, and certbot's stands aside.
  const isInConversion = await isServable(root, ".a.test.adopted");
  must(version === undefined || isInConversion || (await isServable(root, NAME)), "no pair is shown");
  await store.recover();
  const after = await currentVersion();
  must(after === version || after === (version ?? 0) + 1, `version ${after} is shown after recovery`);
  must(after !== undefined || !(await isServable(root, NAME)), "a version is shown that has no conf");
  const key = await readFile(join(root, "live", NAME, "privkey.pem"), "utf8").catch(() => undefined);
  must(after === version || key === coming.issued.privateKeyPem, "a foreign key is shown after recovery");
  must((await store.recover()).length === 0, "recovery has something to do when it runs again");
  await store.install(newVersion(NAME), new Date());
  must(await isServable(root, NAME), "no pair is shown after the next install");
  return [...faults, ...(await findLeftovers(root))];
}

/** What a power cut after an install must not have taken: none of it is left to recovery. */
async function faultsWhenDone(root: string, { issued, settings }: NewVersion): Promise<string[]> {
  const [listed] = await (await openTestStore({ root })).store.list();
  const faults = (await listTree(root)).filter((line) => /\.next|\.prepared/.test(line));
  if (listed?.current?.leaf.fingerprint !== readLeaf(issued.certificatePem).fingerprint) faults.push("it is not shown");
  if (listed?.settings?.keyType !== settings.keyType) faults.push("its conf is not in force");
  return faults;
}

type Failure = { readonly version: number | undefined; readonly outcome: unknown; readonly before: readonly string[] };

async function faultsAfterFailure(root: string, { version, outcome, before }: Failure): Promise<string[]> {
  const { currentVersion } = await openTestStore({ root });
  const faults = outcome instanceof Error && !isDiskFull(outcome) ? [`threw ${String(outcome)}`] : [];
  if (version !== undefined && !(await isServable(root, NAME))) faults.push("no pair is shown");
  // Once it is shown, a version stays; before that, only empty folders of certbot's layout may be new.
  if ((await currentVersion()) !== version) return faults;
  const folders = /^(?:archive|live|renewal|renewal-hooks)(?:\/(?:a\.test|pre|deploy|post))?$/;
  return [...faults, ...(await listTree(root)).filter((line) => !before.includes(line) && !folders.test(line))];
}

function isDiskFull(error: Error): boolean {
  return error instanceof StoreError && error.code === "STORE_DISK_FULL";
}

describe("a process that is really killed", () => {
  const run = promisify(execFile);
  const program = new URL("../../support/install-and-die.ts", import.meta.url).pathname;

  test.each([20, 45, 65, 80])(
    "at call %i leaves a pair that is shown, and recovers",
    async (dieAt) => {
      const root = await temporaryFolder();
      await putOwn(root);
      const died = await run(process.execPath, [program, root, NAME, String(dieAt)]).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(died).toMatchObject({ signal: "SIGKILL" });
      expect(await isServable(root, NAME)).toBe(true);
      const { store } = await openTestStore({ root });
      await store.recover();
      await store.install(newVersion(NAME), new Date());
      expect(await findLeftovers(root)).toEqual([]);
    },
    30_000,
  );
});
