import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LocalCommand } from "../../../src/ports/index.ts";
import { runLocal } from "../../../src/system/index.ts";
import { poll } from "../../support/poll.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const live = () => new AbortController().signal;
const PATH = "/usr/bin:/bin";

const sh = (script: string, more: Partial<LocalCommand> = {}): LocalCommand => ({
  argv: ["sh", "-c", script],
  env: { PATH },
  timeoutMs: 60_000,
  longestOutputBytes: 10_000,
  ...more,
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a program", () => {
  test("ends with an exit code, and what it printed", async () => {
    const ended = await runLocal(sh("echo out; echo err >&2; exit 3"), live());
    expect(ended).toEqual({ exitCode: 3, signal: undefined, isTimedOut: false, stdout: "out\n", stderr: "err\n" });
  });

  test("or by a signal", async () => {
    expect(await runLocal(sh("kill -TERM $$"), live())).toMatchObject({ exitCode: undefined, signal: "SIGTERM" });
  });

  test("sees its own words, environment, folder and user, and nothing of ours", async () => {
    const cwd = await realpath(await temporaryFolder("/tmp"));
    // Only root may become somebody else.
    const uid = process.getuid?.() === 0 ? 65_534 : process.getuid?.();
    const argv = ["sh", "-c", 'echo "$1"; id -u; pwd; env', "sh", "$(id) 'a' \"b\""] as const;
    const env = { PATH, DOMAIN: "a.test" };
    const { stdout } = await runLocal(sh("", { argv: [...argv], env, cwd: "/", uid }), live());
    expect(stdout).toMatch(new RegExp(`^\\$\\(id\\) 'a' "b"\n${uid}\n/\n`));
    expect(stdout).toContain("DOMAIN=a.test");
    expect(stdout).not.toContain("HOME=");
    expect((await runLocal(sh("pwd", { cwd }), live())).stdout).toBe(`${cwd}\n`);
  });

  test("reads what it is given, or doesn't", async () => {
    const stdin = "x".repeat(1_000_000);
    expect((await runLocal(sh("wc -c", { stdin }), live())).stdout.trim()).toBe("1000000");
    expect((await runLocal(sh("exit 0", { stdin }), live())).exitCode).toBe(0);
    expect((await runLocal(sh("cat"), live())).stdout).toBe("");
  });

  test("may print without end, and is kept from that by its time alone", async () => {
    const { stdout, isTimedOut } = await runLocal(sh("yes", { timeoutMs: 300, longestOutputBytes: 5 }), live());
    expect({ stdout: "y\ny\ny".startsWith(stdout), isTimedOut }).toEqual({ stdout: true, isTimedOut: true });
    expect((await runLocal(sh("echo 123456789", { longestOutputBytes: 5 }), live())).stdout).toBe("12345");
  });

  test("that isn't there is an error", async () => {
    await expect(runLocal(sh("", { argv: ["no-such-program"] }), live())).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("a program that doesn't end", () => {
  test("is killed when its time is up", async () => {
    const ended = await runLocal(sh("sleep 600", { timeoutMs: 50 }), live());
    expect(ended).toMatchObject({ exitCode: undefined, signal: "SIGKILL", isTimedOut: true });
  });

  test("is killed with what it has started when we are told to stop", async () => {
    const file = join(await temporaryFolder(), "pid");
    const controller = new AbortController();
    const running = runLocal(sh(`sleep 600 & echo $! > ${file}; wait`), controller.signal);
    const reason = new Error("the daemon stops");
    const pid = Number(await poll("it has a child", () => readFile(file, "utf8").catch(() => "")));
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    await poll("the child is gone", () => !isRunning(pid));
    await expect(runLocal(sh("exit 0"), controller.signal)).rejects.toBe(reason);
  });

  test("is not waited for longer than its time when it has left the group and holds on to the output", async () => {
    const file = join(await temporaryFolder(), "pid");
    const leaves = `setsid sh -c 'echo $$ > ${file}; exec sleep 600' & until [ -s ${file} ]; do sleep 0.02; done`;
    const { isTimedOut } = await runLocal(sh(leaves, { timeoutMs: 2000 }), live());
    expect(isTimedOut).toBe(true);
    const pid = Number(await readFile(file, "utf8").catch(() => ""));
    if (pid > 0) process.kill(pid, "SIGKILL");
  });
});
