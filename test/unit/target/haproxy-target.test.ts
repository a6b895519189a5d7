import { once } from "node:events";
import { chmod, lstat, mkdir, readdir, readFile, rename, rmdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer as createServerOfTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { isKeyOf, PlainError } from "../../../src/certificate/index.ts";
import type { Version } from "../../../src/reconcile/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { haproxy } from "../../../src/target/haproxy.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { engineWith } from "../../support/command-engine.ts";
import { haproxyContract, looksAt, versionOf, wholeOf } from "../../support/haproxy-contract.ts";
import { poll } from "../../support/poll.ts";
import { startRuntimeServer, type Oddity, type RuntimeServer } from "../../support/runtime-server.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NEVER = new AbortController().signal;

function targetAt(socket: string, clock = systemClock, port = 1) {
  const { engine, container } = engineWith({});
  const place = { name: "haproxy-1", service: "haproxy", container, address: "127.0.0.1", port, wants: () => true };
  return haproxy.make(place, socket, createTargetTools({ engine, clock, random: () => 0.5, handshakeMs: 1000 }));
}

async function stage(clock = systemClock) {
  const folder = await temporaryFolder();
  const socket = join(folder, "haproxy.sock");
  const server = await startRuntimeServer(socket, join(folder, "crt-list.txt"));
  return { folder, socket, server, target: targetAt(socket, clock) };
}

function oddAt(server: RuntimeServer, word: string, oddity: Oddity): void {
  server.odd = (command) => (command.startsWith(word) ? oddity : undefined);
}

haproxyContract("a server that speaks as HAProxy does", stage);

const A = versionOf("a.test", ["a.test"]);
const B = versionOf("b.test", ["b.test"]);

describe("a transaction with HAProxy", () => {
  test.each<[string, string, Oddity, RegExp]>([
    ["new breaks off", "new ssl cert", "cut", /ended the connection in the middle/],
    ["set is refused", "set ssl cert", { says: "Can't load the payload\n" }, /said: Can't load the payload$/],
    ["set gets no answer", "set ssl cert", { says: "" }, /./],
    ["set breaks off", "set ssl cert", "cut", /ended the connection in the middle/],
    ["commit breaks off", "commit ssl cert", "cut", /ended the connection in the middle/],
    ["commit is refused", "commit ssl cert", { says: "Permission denied\n" }, /said: Permission denied$/],
    [
      "the transaction is another's",
      "set ssl cert",
      { says: "Transaction updated for certificate /x.pem!\n" },
      /x\.pem/,
    ],
  ])("is taken back when %s: nothing on disk, no line, the failure told", async (_, word, oddity, words) => {
    const { server, target, socket, folder } = await stage();
    await target.apply([B], NEVER, wholeOf([B]));
    oddAt(server, word, oddity);
    const failures = await target.apply([A], NEVER, wholeOf([A, B]));
    expect(failures.get("a.test")).toMatchObject({
      code: "TARGET_RUNTIME_REFUSED",
      message: expect.stringMatching(words),
    });
    expect(server.commands).toContain(`abort ssl cert ${folder}/a.test.cert-sidecar.pem`);
    const line = "b.test.cert-sidecar.pem b.test";
    const files = ["b.test.cert-sidecar.pem"];
    expect(await looksAt(socket)).toEqual({ inMemory: [line], onDisk: [line], files });
  });

  test("that HAProxy gives no answer to is given up in time, for all certificates at once, and ended by the next try", async () => {
    let isHanging = false;
    const sleep: typeof systemClock.sleep = async (_, signal) => {
      await poll("HAProxy hangs", () => isHanging || signal.aborted);
      signal.throwIfAborted();
    };
    const { server, target, folder } = await stage({ ...systemClock, sleep });
    server.odd = (command) => {
      isHanging = command.startsWith("commit");
      return isHanging ? "hang" : undefined;
    };
    const applied = target.apply([A, B], NEVER, wholeOf([A, B]));
    await expect(applied).rejects.toMatchObject({
      code: "TARGET_RUNTIME_UNREACHABLE",
      message: expect.stringMatching(/no answer to "commit ssl cert .*a\.test\.cert-sidecar\.pem" within 5 s$/),
    });
    expect(server.commands.filter((command) => command.startsWith("new"))).toHaveLength(1);
    expect((await readdir(folder)).filter((entry) => entry.includes(".pem"))).toEqual([]);
    [server.odd, isHanging] = [() => undefined, false];
    expect([...(await target.apply([A, B], NEVER, wholeOf([A, B])))]).toEqual([]);
  });

  test("that is stopped in the middle is ended", async () => {
    const { server, target, folder } = await stage();
    const stop = new AbortController();
    server.odd = (command) => {
      if (!command.startsWith("commit")) return undefined;
      stop.abort(new Error("stopping"));
      return "hang";
    };
    await expect(target.apply([A], stop.signal, wholeOf([A]))).rejects.toThrow("stopping");
    expect(server.commands.at(-2)).toBe(`abort ssl cert ${folder}/a.test.cert-sidecar.pem`);
    expect(server.transaction).toBeUndefined();
  });

  test("isn't begun with a pair that the disk doesn't give: that fails alone", async () => {
    const { server, target, socket } = await stage();
    const failure = { code: "STORE_UNREADABLE", message: "no", remedy: "Look." };
    const gone: Version = { ...A, pair: () => Promise.reject(new PlainError(failure)) };
    const failures = await target.apply([gone, B], NEVER, wholeOf([gone, B]));
    expect([...failures]).toEqual([["a.test", expect.objectContaining(failure)]]);
    expect(server.commands.filter((command) => command.includes("a.test"))).toEqual([]);
    expect((await looksAt(socket)).onDisk).toEqual(["b.test.cert-sidecar.pem b.test"]);
  });
});

describe("an operator is told", () => {
  test.each<[string, (folder: string) => string, string]>([
    [
      "that no socket is there",
      (folder) => join(folder, "none.sock"),
      'Mount one volume on .* write "stats socket .*none.sock mode 660 level admin"',
    ],
    ["that nobody listens", (folder) => join(folder, "old.sock"), "Read docker compose logs haproxy"],
  ])("%s, and what to do", async (_, socketIn, remedy) => {
    const folder = await temporaryFolder();
    const left = createServer().listen(join(folder, "old.sock.listening"));
    await once(left, "listening");
    await rename(join(folder, "old.sock.listening"), join(folder, "old.sock"));
    left.close();
    await once(left, "close");
    await expect(targetAt(socketIn(folder)).apply([A], NEVER, wholeOf([A]))).rejects.toMatchObject({
      code: "TARGET_RUNTIME_UNREACHABLE",
      remedy: expect.stringMatching(remedy),
    });
  });

  test.each<[string, string, string, string]>([
    [
      "that its configuration uses another list",
      "list.txt\n/etc/other\n",
      "TARGET_CRT_LIST_UNUSED",
      "it uses list.txt, /etc/other",
    ],
    ["that its configuration uses no list", "", "TARGET_CRT_LIST_UNUSED", "it uses none"],
    ["that the socket gives too few rights", "Permission denied\n", "TARGET_RUNTIME_REFUSED", "Permission denied"],
    ["what something else on the socket says", "<b>hello</b> you\n", "TARGET_RUNTIME_REFUSED", "and said: hello you"],
  ])("%s, before anything is done", async (_, says, code, words) => {
    const { server, target, folder } = await stage();
    oddAt(server, "show ssl crt-list", { says });
    const applied = target.apply([A], NEVER, wholeOf([A]));
    await expect(applied).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    expect(server.commands).toEqual(["show ssl crt-list"]);
    expect((await readdir(folder)).sort()).toEqual(["haproxy.sock"]);
  });

  test("which line gives the rights", async () => {
    const { server, target } = await stage();
    oddAt(server, "new", { says: "Permission denied\n" });
    const failures = await target.apply([A], NEVER, wholeOf([A]));
    expect(failures.get("a.test")?.remedy).toMatch(/^Write "level admin" behind the stats socket/);
  });

  test("that the folder doesn't take the files: HAProxy serves, but would not after a restart", async () => {
    const { server, target, folder } = await stage();
    await mkdir(join(folder, "crt-list.txt"));
    await expect(target.apply([A], NEVER, wholeOf([A]))).rejects.toMatchObject({ code: "TARGET_FOLDER_UNUSABLE" });
    expect(server.store.size).toBe(1);
    await expect(target.settle([A], NEVER, wholeOf([A]))).rejects.toMatchObject({ code: "TARGET_FOLDER_UNUSABLE" });
    await rmdir(join(folder, "crt-list.txt"));
    await target.settle([A], NEVER, wholeOf([A]));
    expect(await readFile(join(folder, "crt-list.txt"), "utf8")).toContain(`${folder}/a.test.cert-sidecar.pem a.test`);
  });

  test("that something is left which HAProxy doesn't let go, and its file stays", async () => {
    const { server, target, folder } = await stage();
    await target.apply([A, B], NEVER, wholeOf([A, B]));
    oddAt(server, "del ssl cert", { says: "in use, can't be deleted!\n" });
    await expect(target.settle([B], NEVER, wholeOf([B]))).rejects.toMatchObject({ code: "TARGET_RUNTIME_REFUSED" });
    expect(await readdir(folder)).toContain("a.test.cert-sidecar.pem");
    server.odd = () => undefined;
    await target.settle([B], NEVER, wholeOf([B]));
    expect(await readdir(folder)).not.toContain("a.test.cert-sidecar.pem");
  });

  test.each([
    "haproxy.sock",
    "/haproxy.sock",
    "/run/../haproxy.sock",
    "/run/a b/x.sock",
    "/run/x;y",
    `/run/${"x".repeat(100)}`,
  ])("that %j is no path of a socket that can be shared", (path) => {
    expect(() => targetAt(path)).toThrow(
      /cert-sidecar.deploy="haproxy:.*is not haproxy:\/var\/lib\/haproxy\/haproxy.sock/,
    );
  });

  test.each<[readonly string[], RegExp]>([
    [[], /: HAProxy's own configuration has \/own\/a\.pem with the name a\.test$/],
    [
      ["/own/a.pem"],
      /: HAProxy renews \/own\/a\.pem with the name a\.test by an ACME of its own, which is left alone$/,
    ],
  ])("which of HAProxy's own certificates has a name of ours (ACME: %j)", async (managed, words) => {
    const { server, folder } = await stage();
    const own = await makeTestCertificate(["DNS:a.test"]);
    const tls = createServerOfTls({ cert: own.certificatePem, key: own.keyPem }).listen(0, "127.0.0.1");
    onTestFinished(() => void tls.close());
    await once(tls, "listening");
    server.store.set("/own/a.pem", own.certificatePem);
    server.managed = managed;
    const { port } = tls.address() as AddressInfo;
    const finding = await targetAt(join(folder, "haproxy.sock"), systemClock, port).explain(A, NEVER);
    expect(finding).toMatchObject({ kind: "not-served", message: expect.stringMatching(words) });
  });
});

describe("the files beside the socket", () => {
  test("are the folder's owner's, and nobody else reads a key", async () => {
    const { target, folder } = await stage();
    await target.apply([A], NEVER, wholeOf([A]));
    const { uid, gid } = await stat(folder);
    const found = await stat(join(folder, "a.test.cert-sidecar.pem"));
    expect([found.uid, found.gid, found.mode & 0o777]).toEqual([uid, gid, 0o600]);
    await chmod(folder, 0o770);
    await target.apply([A], NEVER, wholeOf([A]));
    expect((await stat(join(folder, "a.test.cert-sidecar.pem"))).mode & 0o777).toBe(0o640);
  });

  test("take the place of links, which are not followed", async () => {
    const { target, folder } = await stage();
    const elsewhere = join(await temporaryFolder(), "victim");
    await writeFile(elsewhere, "untouched");
    await symlink(elsewhere, join(folder, "a.test.cert-sidecar.pem"));
    await target.apply([A], NEVER, wholeOf([A]));
    expect(await readFile(elsewhere, "utf8")).toBe("untouched");
    expect((await lstat(join(folder, "a.test.cert-sidecar.pem"))).isFile()).toBe(true);
  });

  test("have names that are no second command, whatever a certificate is called", async () => {
    const { server, target, folder } = await stage();
    const odd = versionOf("*a; del ssl cert x\n<<'", ["a.test"]);
    expect([...(await target.apply([odd], NEVER, wholeOf([odd])))]).toEqual([]);
    const file = "%2aa%3B%20del%20ssl%20cert%20x%0A%3C%3C%27.cert-sidecar.pem";
    expect(await readdir(folder)).toContain(file);
    expect([...server.store.keys()]).toEqual([join(folder, file)]);
  });

  test("that a death has left half-written are removed", async () => {
    const { target, folder } = await stage();
    await writeFile(join(folder, ".a.test.cert-sidecar.pem-00000000.cert-sidecar.new"), "half");
    await target.apply([A], NEVER, wholeOf([A]));
    expect((await readdir(folder)).filter((entry) => entry.startsWith("."))).toEqual([]);
  });
});

test("a death at any command leaves what HAProxy can start with, and what the next try finishes", async () => {
  const both = versionOf("a.test", ["a.test", "www.a.test"]);
  const gone = versionOf("gone", ["gone.test"]);
  const next = versionOf("a.test", ["a.test"]);
  const www = versionOf("www", ["www.a.test"]);
  let deadly = 1;
  for (let isOver = false; !isOver; deadly += 1) {
    let isDead = false;
    const sleep: typeof systemClock.sleep = async (_, signal) => {
      await poll("it is dead", () => isDead || signal.aborted);
      signal.throwIfAborted();
    };
    const { server, target, socket, folder } = await stage({ ...systemClock, sleep });
    await target.apply([both, gone], NEVER, wholeOf([both, gone]));
    const before = server.commands.length;
    // Nothing that is sent from then on is heard, as if nobody had sent it.
    server.odd = () => {
      isDead = server.commands.length >= before + deadly;
      return isDead ? "hang" : undefined;
    };
    isOver = (await target.apply([next, www], NEVER, wholeOf([next, www])).catch(() => undefined)) !== undefined;
    [server.odd, isDead] = [() => undefined, false];
    const { onDisk, files } = await looksAt(socket);
    for (const line of onDisk) {
      const pem = await readFile(join(folder, line.split(" ")[0] ?? ""), "utf8");
      expect({ deadly, isKey: isKeyOf(pem, pem) }).toEqual({ deadly, isKey: true });
    }
    expect(onDisk.length).toBeGreaterThan(0);
    expect(files.length).toBeGreaterThanOrEqual(onDisk.length);
    expect([...(await target.apply([next, www], NEVER, wholeOf([next, www])))]).toEqual([]);
    const lines = ["a.test.cert-sidecar.pem a.test", "www.cert-sidecar.pem www.a.test"];
    const left = ["a.test.cert-sidecar.pem", "www.cert-sidecar.pem"];
    expect(await looksAt(socket)).toEqual({ inMemory: lines, onDisk: lines, files: left });
    expect([...server.store.keys()].map((path) => path.replace(`${folder}/`, "")).sort()).toEqual(left);
  }
  expect(deadly).toBeGreaterThan(10);
});

test("nothing is changed while all is in step", async () => {
  const { server, target } = await stage();
  await target.apply([A, B], NEVER, wholeOf([A, B]));
  server.commands.length = 0;
  await target.settle([A, B], NEVER, wholeOf([A, B]));
  expect(server.commands.filter((command) => !command.startsWith("show"))).toEqual([]);
  expect([...(await target.apply([], NEVER, wholeOf([A])))]).toEqual([]);
  expect(server.commands).toHaveLength(3);
});
