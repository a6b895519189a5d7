import { describe, expect, test } from "vitest";
import { exec } from "../../../src/target/exec.ts";
import { restart } from "../../../src/target/restart.ts";
import { signal } from "../../../src/target/signal.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { aVersion } from "../../support/a-version.ts";
import { engineWith } from "../../support/command-engine.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";
import { applyOne, engineFailed as failed, toldStage } from "../../support/told-stage.ts";

const NEVER = new AbortController().signal;
const PEM = await makeTestCertificate(["DNS:a.test"]);
const VERSION = aVersion(PEM);

const apply = ({ target }: ReturnType<typeof toldStage>) => applyOne(target, VERSION);

describe("a target without a port", () => {
  test("is asked nothing, and told nothing where there is nothing new", async () => {
    const stage = toldStage(exec, "postfix reload");
    expect(stage.target).toMatchObject({ isCostly: true });
    expect(stage.target).not.toHaveProperty("tlsCheck");
    await stage.target.check(NEVER);
    expect([...(await stage.target.apply([], NEVER))]).toEqual([]);
    expect(stage.ran).toEqual([]);
  });

  test("gives up with the signal's reason", async () => {
    const { target, ran } = toldStage(restart, "");
    const stopping = AbortSignal.abort(new Error("stopping"));
    await expect(target.check(stopping)).rejects.toThrow("stopping");
    await expect(target.apply([VERSION], stopping)).rejects.toThrow("stopping");
    expect(ran).toEqual([]);
  });
});

test("with a port TLS is the proof, and what to do is said in words that fit any server", async () => {
  const { target } = toldStage(exec, "postfix reload", { port: 1 });
  expect(await target.tlsCheck?.(VERSION, NEVER)).toMatchObject({
    kind: "not-served",
    remedy: expect.stringMatching(/docker compose logs mail, .* cert-sidecar\.port/),
  });
});

describe("exec:", () => {
  test("runs the words of its label, once for all certificates", async () => {
    const argvs: (readonly string[])[] = [];
    const { engine, container } = engineWith({});
    const spy: typeof engine.exec = async (where, argv, abort) => {
      argvs.push(argv);
      return engine.exec(where, argv, abort);
    };
    const parts = { clock: instantClock(), random: () => 0.5, handshakeMs: 1000 };
    const tools = createTargetTools({ engine: { ...engine, exec: spy }, ...parts });
    const spot = { name: "mail-1", service: "mail", container, wants: () => true };
    const target = exec.make(spot, `sh -c 'kill -HUP "$(cat /run/x.pid)"' "a b" c\\ d`, tools);
    await target.apply([VERSION, { ...VERSION, lineage: "b.test" }], NEVER);
    expect(argvs).toEqual([["sh", "-c", 'kill -HUP "$(cat /run/x.pid)"', "a b", "c d"]]);
  });

  test.each([
    [
      "it fails",
      { exitCode: 1, stderr: "no such map" },
      "TARGET_COMMAND_FAILED",
      /failed \(exit code 1\): no such map/,
    ],
    ["it says nothing", { exitCode: 255 }, "TARGET_COMMAND_FAILED", /printed nothing and ended with exit code 255/],
    ["nobody knows how it ended", { exitCode: undefined }, "TARGET_COMMAND_FAILED", /exit code unknown/],
    [
      "there is no such program",
      { exitCode: 127, stdout: "not found" },
      "TARGET_COMMAND_FAILED",
      /could not be started: not/,
    ],
    ["a stop kills it", { exitCode: 137 }, "TARGET_COMMAND_KILLED", /exit code 137/],
    ["the container is gone", failed("no such container", 404), "TARGET_NOT_RUNNING", /mail-1 is not running/],
    [
      "it says too much",
      { exitCode: 1, stderr: `${"x".repeat(5000)} the end` },
      "TARGET_COMMAND_FAILED",
      /: …x{900,1000} the end$/,
    ],
  ] as const)("says so when %s", async (_, end, code, message) => {
    const failure = await apply(toldStage(exec, "postfix reload", { ends: { reload: end } }));
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("names the program that isn't there", async () => {
    const failure = await apply(toldStage(exec, "postfix reload", { ends: { reload: { exitCode: 126 } } }));
    expect(failure).toMatchObject({ remedy: expect.stringMatching(/the image has postfix, .*cert-sidecar\.deploy/) });
  });

  test.each([
    ["sh -c 'x", /which is not exec:COMMAND \(it opens a ' at character 7 and never closes it\)/],
    ["''", /which is not exec:COMMAND with a program's name/],
    ["  ", /which is not exec:COMMAND with a program's name/],
  ])("with %j is a mistake", (command, message) => {
    expect(() => toldStage(exec, command)).toThrow(message);
  });
});

describe("signal:", () => {
  const safe = [inspectedContainer({ id: "a", stopSignal: "SIGQUIT", restart: "always" })];

  test.each(["HUP", "SIGHUP", "hup", " HUP"])("%s is sent as HUP", async (word) => {
    const stage = toldStage(signal, word, { containers: safe });
    expect(await apply(stage)).toBeUndefined();
    expect(stage.ran).toEqual(["kill HUP"]);
  });

  test.each([
    ["KILL", /which is not signal: with one that a process can catch/],
    ["SIGSTOP", /which is not signal: with one that a process can catch/],
    ["HANGUP", /which is not signal: with the name of a signal/],
    ["1", /which is not signal: with the name of a signal/],
    [" ", /which is not signal: with the name of a signal/],
  ])("%s is a mistake", (word, message) => {
    expect(() => toldStage(signal, word, { containers: safe })).toThrow(message);
  });

  test.each([
    [
      "HUP",
      undefined,
      "always",
      /no stop signal.*next crash$/,
      /^Write "stop_signal: SIGTERM" under the service mail /,
    ],
    ["QUIT", "SIGQUIT", "always", /is its stop signal/, /^Write "stop_signal: SIGTERM" under/],
    ["QUIT", "3", "always", /is its stop signal/, /^Write "stop_signal: SIGTERM" under/],
    ["TERM", "TERM", "no", /is its stop signal/, /^Write "stop_signal: SIGQUIT" under/],
    ["TERM", undefined, "no", /is its stop signal/, /^Write "stop_signal: SIGQUIT" under/], // Docker's own, left alone
    ["HUP", "SIGQUIT", "unless-stopped", /policy is unless-stopped/, /^Write "restart: always" under/],
    [
      "HUP",
      undefined,
      "unless-stopped",
      /no stop signal.*, and .*unless-stopped/,
      /"stop_signal: SIGTERM" and "restart: always" /,
    ],
  ] as const)("%s with the stop signal %s and the policy %s is refused, with the lines that mend it", (...row) => {
    const [word, stopSignal, policy, message, remedy] = row;
    const containers = [inspectedContainer({ id: "a", restart: policy, ...(stopSignal && { stopSignal }) })];
    expect(() => toldStage(signal, word, { containers })).toThrow(
      expect.objectContaining({
        code: "TARGET_SIGNAL_UNSAFE",
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(remedy),
      }),
    );
  });

  test.each([
    ["HUP", "SIGTERM", "always"],
    ["HUP", "RTMIN+3", "on-failure"],
    ["USR1", "SIGQUIT", "no"],
    ["HUP", undefined, "no"], // it would not be started again anyway
  ])("%s with the stop signal %s and the policy %s is safe", async (word, stopSignal, policy) => {
    const containers = [inspectedContainer({ id: "a", restart: policy, ...(stopSignal && { stopSignal }) })];
    expect(await apply(toldStage(signal, word, { containers }))).toBeUndefined();
  });
});

describe("restart", () => {
  const started = (secondsAgo: number, more: { readonly health?: string } = {}) => ({
    containers: [
      inspectedContainer({ id: "a", startedAt: new Date(Date.UTC(2026, 7, 5, 10, 0, -secondsAgo)), ...more }),
    ],
  });

  test.each([
    ["long ago", 3600, []],
    ["half a minute ago", 30, []],
    ["10 s ago", 10, [20_000]],
    ["in the future, by a clock that isn't ours", -3600, []],
  ] as const)("restarts what was started %s, once it has been up for half a minute", async (_, secondsAgo, slept) => {
    const stage = toldStage(restart, "", started(secondsAgo));
    expect(await apply(stage)).toBeUndefined();
    expect(stage.ran).toEqual(["restart"]);
    expect(stage.clock.slept).toEqual(slept);
  });

  test("leaves alone what its health check says is starting", async () => {
    const stage = toldStage(restart, "", started(3600, { health: "starting" }));
    expect(await apply(stage)).toMatchObject({ code: "TARGET_STARTING", remedy: expect.stringContaining("logs mail") });
    expect(stage.ran).toEqual([]);
    expect(await apply(toldStage(restart, "", started(3600, { health: "unhealthy" })))).toBeUndefined();
  });

  test("starts nothing that was stopped meanwhile", async () => {
    const stage = toldStage(restart, "", { laterStatus: "exited" });
    expect(await apply(stage)).toMatchObject({ code: "TARGET_NOT_RUNNING" });
    expect(stage.ran).toEqual([]);
  });
});
