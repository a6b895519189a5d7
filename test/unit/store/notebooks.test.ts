import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Notebook } from "../../../src/ports/index.ts";
import { createNotebooks, type FileSystem } from "../../../src/store/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { powerCuts } from "../../support/power-cut.ts";
import { dyingFiles, failingFiles, steppedFiles } from "../../support/stepped-files.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";
import { openTestStore, thrownBy } from "../../support/test-store.ts";

const NAME = "channel-1";

const log = collectLog();
let root: string;

beforeEach(async () => {
  root = await folderInMemory();
  log.lines.length = 0;
});

function parseCount(json: unknown): number {
  if (typeof json !== "number") throw new Error("it is no number");
  return json;
}

const open = (fs?: FileSystem, at = root): Notebook<number> =>
  createNotebooks({ root: at, log, fs })(NAME, 0, parseCount);
const set = (count: number) => () => count;
const events = () => log.lines.map(({ event }) => event);

describe("a notebook", () => {
  test("is fresh at first, and then what was written last, in a process that comes later too", async () => {
    const notebook = open();
    expect(await notebook.read()).toBe(0);
    expect(await readdir(root)).toEqual([]);
    expect(await notebook.change((count) => count + 2)).toBe(2);
    expect([await notebook.read(), await open().read()]).toEqual([2, 2]);
  });

  test("is for nobody else to read", async () => {
    await open().change(set(1));
    const modes = [join("sidecar", "notes", `${NAME}.json`), join("sidecar", "notes"), "sidecar"].map(
      async (path) => (await stat(join(root, path))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o600, 0o700, 0o755]);
  });

  test("loses no change of many at once, however often it was opened, and other notebooks don't wait", async () => {
    const notebooks = createNotebooks({ root, log });
    const other = notebooks("other", "", String);
    const changes = Array.from({ length: 20 }, () => notebooks(NAME, 0, parseCount).change((count) => count + 1));
    await Promise.all([...changes, other.change(() => "theirs")]);
    expect([await notebooks(NAME, 0, parseCount).read(), await other.read()]).toEqual([20, "theirs"]);
  });

  test("is as it was when a change throws, which is what is thrown, and the next change goes through", async () => {
    const notebook = open();
    await notebook.change(set(1));
    const mistake = new Error("a mistake");
    const failed = notebook.change(() => {
      throw mistake;
    });
    const next = notebook.change((count) => count + 1);
    await expect(failed).rejects.toBe(mistake);
    expect(await next).toBe(2);
  });

  test.each(["", "{", '"one"', "null"])("of the text %j is kept aside, told, and begun anew", async (text) => {
    await open().change(set(1));
    const folder = join(root, "sidecar", "notes");
    await writeFile(join(folder, `${NAME}.json`), text);
    const notebook = open();
    // At once: what is put aside must not be what was written meanwhile.
    expect(await Promise.all([notebook.read(), notebook.change((count) => count + 5), notebook.read()])).toEqual([
      0, 5, 5,
    ]);
    expect(log.lines).toMatchObject([
      { level: "warn", event: "state.repaired", fields: { notebook: NAME, did: "began afresh" } },
    ]);
    const [aside = ""] = (await readdir(folder)).filter((name) => name.includes("corrupt"));
    expect(await readFile(join(folder, aside), "utf8")).toBe(text);
  });

  test("that can't be read is no fresh one, nor is it written over", async () => {
    await open().change(set(1));
    const fs = steppedFiles((_, call) => {
      if (call.startsWith("readFile")) throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    });
    for (const act of [open(fs).read(), open(fs).change((count) => count + 1)])
      expect(await thrownBy(act)).toMatchObject({ code: "STORE_FAILED" });
    expect(await open().read()).toBe(1);
    expect(events()).toEqual([]);
  });

  test.each(["", "../x", "a/b", ".x", "A"])("of the name %j is a mistake of ours", (name) => {
    expect(() => createNotebooks({ root, log })(name, 0, parseCount)).toThrow("can't be the name of a notebook");
  });
});

describe.each([0, 1])("a change to a notebook that has had %i", (before) => {
  const prepare = async () => {
    root = await folderInMemory();
    if (before > 0) await open().change(set(before));
  };

  test("leaves it as it was or done, whichever call a death comes at, and goes through at the next start", async () => {
    const found = new Set<number>();
    for (let dieAt = 1; ; dieAt += 1) {
      await prepare();
      const { fs, diedIn } = dyingFiles(dieAt);
      await open(fs)
        .change(set(before + 1))
        .catch(() => undefined);
      if (diedIn() === undefined) break;
      found.add(await open().read());
      await (await openTestStore({ root })).store.recover();
      expect(await readdir(join(root, "sidecar", "notes")).catch(() => [])).not.toContain(`.${NAME}.json.new`);
      expect(await open().change((count) => count + 5)).toBeGreaterThanOrEqual(before + 5);
    }
    expect(found).toEqual(new Set([before, before + 1]));
    expect(events()).toEqual([]);
  });

  test("throws on a disk that is full at any call, and leaves it as it was until the new one is in its place", async () => {
    let isInPlace = false;
    for (let failAt = 1; ; failAt += 1) {
      await prepare();
      const { fs, failedIn } = failingFiles(failAt, "ENOSPC");
      const outcome = await open(fs)
        .change(set(before + 1))
        .catch((thrown: unknown) => thrown);
      if (failedIn() === undefined) break;
      const left = isInPlace ? before + 1 : before;
      const call = failedIn();
      expect({ call, outcome, left: await open().read() }).toMatchObject({
        outcome: { code: "STORE_DISK_FULL" },
        left,
      });
      isInPlace ||= call?.startsWith("rename") ?? false;
      const folder = await readdir(join(root, "sidecar", "notes")).catch(() => []);
      expect(folder.filter((name) => name.startsWith("."))).toEqual([]);
    }
    expect(isInPlace).toBe(true);
    expect(events()).toEqual([]);
  });

  test("is the old or the new one after a power cut, and the new one once it is made", async () => {
    await prepare();
    const cuts = await powerCuts(root, (fs) => open(fs).change(set(before + 1)));
    const found = await Promise.all(
      cuts.map(async ({ call, root: left }) => ({ call, count: await open(undefined, left).read() })),
    );
    const allowed = (call: string) => (call === "done" ? [before + 1] : [before, before + 1]);
    expect(found.filter(({ call, count }) => !allowed(call).includes(count))).toEqual([]);
    expect(found.length).toBeGreaterThan(1);
    expect(events()).toEqual([]);
  });
});

test("a certificate's state is its own, whatever a notebook or the folder of notebooks is called", async () => {
  const { store } = await openTestStore({ root });
  const deploy = { "nginx-1": { servedFingerprint: "AB", failures: 3 } };
  const state = { ...(await store.loadState("notes")), deploy };
  await store.saveState("notes", state);
  await createNotebooks({ root, log })("notes", 0, parseCount).change(set(1));
  expect(await store.loadState("notes")).toEqual(state);
  expect(await store.list()).toEqual([]);
  expect(await store.recover()).toEqual([]);
});
