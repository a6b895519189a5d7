import { execFileSync } from "node:child_process";
import {
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DurableFiles, REAL_FILES, type FileSystem } from "../../../src/store/durable-files.ts";
import { accountIdOf } from "../../../src/certificate/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { newVersion } from "../../support/lineage-tree.ts";
import { openTestStore } from "../../support/test-store.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const OTHER = 4321;

/** A tree of uid 1000, and a file system on which that user swaps `path` for something of another's as soon as it is made. */
async function swapping(name: string, put: (foreign: string, path: string) => Promise<void>) {
  const [root, foreign] = [await temporaryFolder(), await temporaryFolder()];
  await chown(root, 1000, 1000);
  const path = join(root, name);
  const swapAfter =
    <Args extends unknown[], Result>(make: (...args: Args) => Promise<Result>) =>
    async (...args: Args) => {
      const made = await make(...args);
      await put(foreign, path);
      return made;
    };
  const open = (async (at: string, flags: string, mode: number) => {
    const opens = flags === "wx" ? swapAfter(REAL_FILES.open) : REAL_FILES.open;
    return opens(at, flags, mode);
  }) as FileSystem["open"];
  const mkdirOnly = swapAfter(REAL_FILES.mkdir) as FileSystem["mkdir"];
  const fs: FileSystem = { ...REAL_FILES, open, mkdir: mkdirOnly, symlink: swapAfter(REAL_FILES.symlink) };
  return { files: new DurableFiles(root, fs), path, foreign };
}

describe.runIf(process.getuid?.() === 0)("of what the tree's owner puts where we have just made something", () => {
  test("a file keeps its owner", async () => {
    const { files, path, foreign } = await swapping("key.pem", async (folder, at) => {
      await writeFile(join(folder, "file"), "mine");
      await rm(at);
      await link(join(folder, "file"), at);
    });
    await files.create(path, "ours", { mode: 0o600 });
    expect((await stat(join(foreign, "file"))).uid).toBe(0);
  });

  test("a folder keeps its owner", async () => {
    const { files, path } = await swapping("archive", async (folder, at) => {
      await mkdir(join(folder, "others"));
      await chown(join(folder, "others"), OTHER, OTHER);
      await rmdir(at);
      await rename(join(folder, "others"), at);
    });
    await files.ensureFolder(path, 0o700);
    expect((await stat(path)).uid).toBe(OTHER);
  });

  test("a file in a link's place keeps its owner", async () => {
    const { files, path, foreign } = await swapping("live", async (folder, at) => {
      await writeFile(join(folder, "file"), "mine");
      await rm(at);
      await link(join(folder, "file"), at);
    });
    await files.createLink("target", path);
    expect((await stat(join(foreign, "file"))).uid).toBe(0);
  });

  test("what was left alone is the tree owner's", async () => {
    const { files, path } = await swapping("x", () => Promise.resolve());
    await files.ensureFolder(path, 0o700);
    await files.create(join(path, "file"), "ours", { mode: 0o600 });
    await files.createLink("file", join(path, "link"));
    for (const at of [path, join(path, "file"), join(path, "link")]) expect((await lstat(at)).uid).toBe(1000);
  });
});

describe("a text", () => {
  test("is read through a link, as certbot's are", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "file"), "text");
    await symlink("file", join(folder, "link"));
    expect(await REAL_FILES.readFile(join(folder, "link"), "utf8")).toBe("text");
  });

  test("is not read from what has no end", async () => {
    const folder = await temporaryFolder();
    await symlink("/dev/null", join(folder, "device"));
    await writeFile(join(folder, "long"), "");
    await truncate(join(folder, "long"), 17 * 1024 * 1024);
    for (const name of ["device", "long"]) {
      await expect(REAL_FILES.readFile(join(folder, name), "utf8")).rejects.toThrow(
        `${join(folder, name)} is no file of`,
      );
    }
    await expect(REAL_FILES.readFile(join(folder, "none"), "utf8")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(REAL_FILES.readFile(folder, "utf8")).rejects.toMatchObject({ code: "EISDIR" });
  });
});

describe("of a folder of ours in whose place there is a link", () => {
  test("nothing is removed from where it leads to", async () => {
    const { root, store } = await openTestStore();
    const foreign = await temporaryFolder();
    const old = new Date(Date.now() - 7 * 24 * 3600_000);
    for (const name of ["old.json", ".x.new"]) await writeFile(join(foreign, name), "mine");
    await utimes(join(foreign, "old.json"), old, old);
    await mkdir(join(root, "sidecar"));
    for (const folder of ["orders", "cas", "notes"]) await symlink(foreign, join(root, "sidecar", folder));
    await store.recover();
    expect((await readdir(foreign)).sort()).toEqual([".x.new", "old.json"]);
    await rm(join(root, "sidecar", "orders"));
    await rename(foreign, join(root, "sidecar", "orders"));
    await store.recover();
    expect(await readdir(join(root, "sidecar", "orders"))).toEqual([]);
  });
});

test("a socket or a pipe that somebody has put beside a certificate costs no version", async () => {
  const { root, store, currentVersion } = await openTestStore();
  await store.install(newVersion("a.test"), new Date());
  const server = createServer().listen(join(root, "live", "a.test", "app.sock"));
  execFileSync("mkfifo", [join(root, "live", "a.test", "pipe")]);
  await writeFile(join(root, "live", "a.test", "combined.pem"), "mine");
  await store.install(newVersion("a.test"), new Date());
  server.close();
  expect(await currentVersion()).toBe(2);
  expect(await readdir(join(root, "live", "a.test"))).toContain("combined.pem");
});

test("all that is secret is for its owner alone", async () => {
  const { root, store } = await openTestStore();
  const umask = process.umask(0);
  try {
    const version = newVersion("a.test");
    await store.install(version, new Date());
    const { privateKeyPem } = version.issued;
    const order = { schema: 1, url: "https://acme.test/order/1", privateKeyPem, isReplacement: false } as const;
    const about = { directoryUrl: "https://acme.test/dir", names: "a.test", keyType: "ecdsa-p256" } as const;
    await store.saveOrder("a.test", { ...order, ...about, isKeyReused: false, sentAt: new Date().toISOString() });
    const account = { id: accountIdOf(privateKeyPem), privateKeyPem, url: "https://acme.test/account/1" };
    await createAccountStore({ root }).save("https://acme.test/dir", account, { createdAt: new Date() });
  } finally {
    process.umask(umask);
  }
  const modes = new Map<string, string>();
  for (const path of [
    "archive",
    "archive/a.test/privkey1.pem",
    "sidecar/orders",
    "sidecar/orders/a.test.json",
    "accounts",
  ]) {
    modes.set(path, ((await stat(join(root, path))).mode & 0o777).toString(8));
  }
  expect([...modes.values()]).toEqual(["700", "600", "700", "600", "700"]);
});

test("what is copied for somebody is what was there, and no link that takes its place meanwhile is followed", async () => {
  const [root, foreign] = [await temporaryFolder(), await temporaryFolder()];
  const at = (name: string) => join(root, name);
  await writeFile(join(foreign, "secret"), "ours");
  await mkdir(at("from"));
  await writeFile(at("from/keystore.p12"), Buffer.from([0xff, 0, 0xfe]), { mode: 0o640 });
  await symlink("../elsewhere", at("from/link"));
  const old = new Date("2020-01-01T00:00:00Z");
  await utimes(at("from/keystore.p12"), old, old);
  await new DurableFiles(root, REAL_FILES).copy(at("from"), at("to"));
  expect(await readFile(at("to/keystore.p12"))).toEqual(Buffer.from([0xff, 0, 0xfe]));
  const { mode, mtime } = await stat(at("to/keystore.p12"));
  expect([mode & 0o777, mtime]).toEqual([0o640, old]);
  expect(await readlink(at("to/link"))).toBe("../elsewhere");
  // Its owner is the quickest there is: the link is there as soon as anything was asked of the file.
  for (const call of ["readlink", "open"] as const) {
    const path = at(`${call}.pem`);
    await writeFile(path, "mine");
    const swap = async () => {
      await rm(path);
      await symlink(join(foreign, "secret"), path);
    };
    const ask = REAL_FILES[call] as (...args: unknown[]) => Promise<unknown>;
    const asking = async (...args: unknown[]) => {
      const [asked] = await Promise.allSettled([ask(...args)]);
      if (args[0] === path) await swap();
      if (asked.status === "rejected") throw asked.reason;
      return asked.value;
    };
    await new DurableFiles(root, { ...REAL_FILES, [call]: asking }).copy(path, at(call));
    expect(await readFile(at(call), "utf8").catch(() => "mine")).toBe("mine");
  }
});
