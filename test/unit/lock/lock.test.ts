import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, lstat, mkdir, open, readdir, readlink, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { askDaemon } from "../../../src/control/index.ts";
import { acquireLock, SOCKET_NAME } from "../../../src/lock/index.ts";
import { lockOptions, takeLock } from "../../support/held-lock.ts";
import type { TakerAnswer, TakerOptions, TakerOrder } from "../../support/lock-taker.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PATIENCE = { timeout: 5000 };
const RACES = process.env["CERT_SIDECAR_FULL"] ? 50 : 15;
const never = new AbortController().signal;

async function exitCodeAt(folder: string): Promise<number | undefined> {
  return askDaemon(
    { command: "status", args: [], terminal: { isTty: false } },
    { sockets: [join(folder, SOCKET_NAME)], out: () => undefined, err: () => undefined },
    never,
  );
}

class Taker {
  readonly child: ChildProcess;

  constructor(options: TakerOptions) {
    const script = new URL("../../support/lock-taker.ts", import.meta.url);
    this.child = fork(script, [JSON.stringify(options)], { execArgv: [] });
    onTestFinished(() => void this.child.kill("SIGKILL"));
  }

  async tell(order: TakerOrder["order"]): Promise<TakerAnswer> {
    const answered = once(this.child, "message");
    this.child.send({ order } satisfies TakerOrder);
    const [answer] = await answered;
    return answer as TakerAnswer; // Its other half is lock-taker.ts.
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    if (signal === "SIGKILL") await once(this.child, "exit");
  }
}

async function startTakers(count: number, more: Partial<TakerOptions> = {}) {
  const root = await temporaryFolder();
  const folder = join(root, "sidecar");
  await mkdir(folder);
  const takers = Array.from({ length: count }, (_, index) => {
    const runFolder = join(root, `run-${index}`);
    const description = `taker ${index}`;
    return new Taker({
      folder,
      runFolder,
      description,
      wait: false,
      livenessKind: "socket",
      beatEveryMs: 400,
      ...more,
    });
  });
  return { root, folder, takers };
}

/** What a process that died by SIGKILL leaves: a socket that nobody listens on. */
async function leaveDeadSocket(folder: string, instance: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, "unborn"), resolve));
  await rename(join(folder, "unborn"), join(folder, `control.${instance}.sock`));
  await new Promise((resolve) => server.close(resolve));
}

test("the holder is found through control.sock, which only its owner may use", async () => {
  const folder = await temporaryFolder();
  const options = lockOptions(folder);
  await takeLock(options);
  const name = await readlink(join(options.folder, SOCKET_NAME));
  expect((await lstat(join(options.folder, name))).mode & 0o777).toBe(0o600);
  expect(await exitCodeAt(options.folder)).toBe(0);
  expect(options.log).toMatchObject({ lines: [{ level: "info", event: "lock.acquired" }] });
});

test("who doesn't want to wait is told who holds the lock", async () => {
  const folder = await temporaryFolder();
  await takeLock(lockOptions(folder, { description: "update-cert in container 3f2a" }));
  await expect(acquireLock(lockOptions(folder), never)).rejects.toMatchObject({
    code: "LOCK_HELD",
    message: `${join(folder, "sidecar")} is in use by update-cert in container 3f2a`,
  });
});

test("who waits says so once and has the lock as soon as it is released", async () => {
  const folder = await temporaryFolder();
  const first = await takeLock(lockOptions(folder));
  const options = lockOptions(folder, { wait: true, description: "the second" });
  const second = takeLock(options);
  await vi.waitFor(() => expect(options.log).toMatchObject({ lines: [{ event: "lock.awaited" }] }), PATIENCE);
  await first.release();
  expect(await (await second).isHeld()).toBe(true);
  expect(await first.isHeld()).toBe(false);
  expect(options.log).toMatchObject({
    lines: [
      { level: "warn", event: "lock.awaited", fields: { holder: "the daemon of this test" } },
      { level: "info", event: "lock.acquired" },
    ],
  });
});

test("waiting ends with the signal's reason and leaves nothing behind", async () => {
  const folder = await temporaryFolder();
  const holder = await takeLock(lockOptions(folder));
  const before = await readdir(join(folder, "sidecar"));
  const stopped = new AbortController();
  const waiting = acquireLock(lockOptions(folder, { wait: true }), stopped.signal);
  stopped.abort(new Error("SIGTERM"));
  await expect(waiting).rejects.toThrow("SIGTERM");
  expect(await readdir(join(folder, "sidecar"))).toEqual(before);
  expect(await holder.isHeld()).toBe(true);
});

test("releasing leaves an empty folder and may be done twice", async () => {
  const folder = await temporaryFolder();
  for (const livenessKind of ["socket", "heartbeat"] as const) {
    const lock = await takeLock(lockOptions(folder, { livenessKind }));
    await Promise.all([lock.release(), lock.release()]);
    expect(await readdir(join(folder, "sidecar"))).toEqual([]);
  }
  expect(await readdir(join(folder, "run"))).toEqual([]);
});

test("a holder whose liveness file was removed is told that the lock is lost, once", async () => {
  const folder = await temporaryFolder();
  const options = lockOptions(folder);
  const lock = await takeLock(options);
  await rm(options.folder, { recursive: true });
  expect(await Promise.all([lock.isHeld(), lock.isHeld()])).toEqual([false, false]);
  expect(lock.lost.reason).toMatchObject({ code: "LOCK_LOST" });
  expect(options.log).toMatchObject({ lines: [{ event: "lock.acquired" }, { level: "error", event: "lock.lost" }] });
  const next = await takeLock(lockOptions(folder));
  await lock.release();
  expect(await next.isHeld()).toBe(true);
  expect(await exitCodeAt(options.folder)).toBe(0);
});

test("a control socket that somebody removed comes back while the lock is held", async () => {
  const folder = await temporaryFolder();
  const options = lockOptions(folder, { livenessKind: "heartbeat" });
  const lock = await takeLock(options);
  await rm(join(options.runFolder, SOCKET_NAME));
  await vi.waitFor(async () => expect(await exitCodeAt(options.runFolder)).toBe(0), PATIENCE);
  expect(await lock.isHeld()).toBe(true);
});

test("sockets of dead processes, and a control.sock that leads to one, are in nobody's way", async () => {
  const folder = await temporaryFolder();
  const options = lockOptions(folder);
  await mkdir(options.folder);
  await leaveDeadSocket(options.folder, "00000000dead");
  await writeFile(join(options.folder, SOCKET_NAME), "left by somebody else");
  await takeLock(options);
  expect(await exitCodeAt(options.folder)).toBe(0);
  expect(await readdir(options.folder)).toHaveLength(2);
});

test("a holder that hangs up on whoever asks, as with too many clients, is alive", async () => {
  const options = lockOptions(await temporaryFolder());
  await mkdir(options.folder);
  const server = createServer((connection) => connection.destroy());
  server.listen(join(options.folder, "control.00000000beef.sock"));
  await once(server, "listening");
  onTestFinished(() => void server.close());
  await expect(acquireLock(options, never)).rejects.toMatchObject({ code: "LOCK_HELD" });
  expect(await readdir(options.folder)).toEqual(["control.00000000beef.sock"]);
});

test("a folder that was deleted under its mount is an error at once, and the remedy makes the mount anew", async () => {
  const folder = await temporaryFolder();
  const handle = await open(folder, "r");
  onTestFinished(() => handle.close());
  await rm(folder, { recursive: true });
  const lock = acquireLock(lockOptions(`/proc/self/fd/${handle.fd}`), never);
  await expect(lock).rejects.toMatchObject({
    code: "LOCK_UNAVAILABLE",
    remedy: expect.stringContaining("--force-recreate"),
  });
});

test("folders above it are made, and all are as the store makes them: nginx's step and backups read there", async () => {
  const top = await temporaryFolder();
  await chown(top, 1000, 1000).catch(() => undefined); // Only root may.
  const { uid, gid } = await lstat(top);
  const folder = join(top, "not", "there");
  const lock = await takeLock(lockOptions(folder));
  expect(await lock.isHeld()).toBe(true);
  for (const path of [join(top, "not"), folder, join(folder, "sidecar")]) {
    const made = await lstat(path);
    expect({ mode: made.mode & 0o777, uid: made.uid, gid: made.gid }).toEqual({ mode: 0o755, uid, gid });
  }
});

test("a path that is too long for a socket, and a folder that isn't one, are said clearly", async () => {
  const folder = await temporaryFolder();
  const long = lockOptions(join(folder, "x".repeat(90)));
  await expect(acquireLock(long, never)).rejects.toMatchObject({ code: "CONTROL_PATH_TOO_LONG" });
  await writeFile(join(folder, "sidecar"), "");
  const refused = acquireLock(lockOptions(folder, { wait: true }), never);
  await expect(refused).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
  await chmod(join(folder, "sidecar"), 0o600);
});

test(
  `of processes that take the lock at the same moment, exactly one has it, ${RACES} times`,
  { timeout: 60_000 },
  async () => {
    const { folder, takers } = await startTakers(4);
    for (let round = 0; round < RACES; round += 1) {
      await leaveDeadSocket(folder, `00000000${String(round).padStart(4, "0")}`);
      const answers = await Promise.all(takers.map((taker) => taker.tell("take")));
      expect(answers.filter(({ hasLock }) => hasLock)).toHaveLength(1);
      const losers = answers.filter(({ hasLock }) => !hasLock);
      for (const { problem } of losers) expect(problem).toContain("is in use by taker");
      await Promise.all(takers.map((taker) => taker.tell("release")));
    }
    expect(await readdir(folder)).toEqual([]);
  },
);

test.each(["socket", "heartbeat"] as const)(
  "processes that take the lock again and again never hold it together (%s)",
  { timeout: 60_000 },
  async (livenessKind) => {
    const { takers } = await startTakers(3, { wait: true, livenessKind, beatEveryMs: 1000 });
    const answers = await Promise.all(takers.map((taker) => taker.tell("compete")));
    for (const answer of answers) expect(answer).toEqual({ hasLock: false });
  },
);

test("a holder that died by SIGKILL is replaced at once", async () => {
  const { root, folder, takers } = await startTakers(1);
  expect(await takers[0]?.tell("take")).toEqual({ hasLock: true });
  await expect(acquireLock(lockOptions(root), never)).rejects.toThrow("in use by taker 0");
  await takers[0]?.signal("SIGKILL");
  await takeLock(lockOptions(root));
  expect(await exitCodeAt(folder)).toBe(0);
});

test("a holder that is stopped, not dead, keeps its socket's lock", async () => {
  const { root, takers } = await startTakers(1);
  expect(await takers[0]?.tell("take")).toEqual({ hasLock: true });
  await takers[0]?.signal("SIGSTOP");
  await expect(acquireLock(lockOptions(root), never)).rejects.toThrow("it doesn't answer");
});

test("without sockets a heartbeat file keeps others away and the control socket is elsewhere", async () => {
  const folder = await temporaryFolder();
  // A busy machine keeps a process waiting for seconds, and 2.5 beats are all that a holder may miss.
  const options = lockOptions(folder, {
    livenessKind: "heartbeat",
    beatEveryMs: 2000,
    description: "the daemon on a share",
  });
  const lock = await takeLock(options);
  expect(await exitCodeAt(options.runFolder)).toBe(0);
  await expect(acquireLock(options, never)).rejects.toThrow("in use by the daemon on a share");
  // A user of the folder that believes in sockets sees the heartbeat too.
  await expect(acquireLock(lockOptions(folder, { beatEveryMs: 2000 }), never)).rejects.toMatchObject({
    code: "LOCK_HELD",
  });
  expect(await lock.isHeld()).toBe(true);
});

test("a heartbeat that has stopped is taken over, and its owner, awake again, knows it", async () => {
  const { root, takers } = await startTakers(1, { livenessKind: "heartbeat" });
  expect(await takers[0]?.tell("take")).toEqual({ hasLock: true });
  await takers[0]?.signal("SIGSTOP");
  const lock = await takeLock(lockOptions(root, { livenessKind: "heartbeat", beatEveryMs: 400, wait: true }));
  await takers[0]?.signal("SIGCONT");
  expect(await takers[0]?.tell("ask")).toEqual({ hasLock: false });
  await takers[0]?.tell("release");
  expect(await lock.isHeld()).toBe(true);
});
