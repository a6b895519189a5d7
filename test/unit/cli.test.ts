import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { commandLine } from "../../src/cli.ts";
import { VERBS } from "../../src/commands/index.ts";
import type { ControlHandler } from "../../src/control/index.ts";
import { SOCKET_NAME } from "../../src/lock/index.ts";
import { startCommandDaemon } from "../support/command-daemon.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** The words that have the client find a daemon there, at the second of the places that it tries. */
const placeOf = (folder: string) => ["--config-dir", "/nowhere", "--work-dir", folder];

async function startDaemon(handler: ControlHandler, folder?: string) {
  const { socket, lock } = await startCommandDaemon(handler, folder);
  return { place: placeOf(dirname(socket)), lock };
}

type Client = { readonly child: ChildProcess; readonly ended: Promise<{ code: unknown; out: string; err: string }> };

function startClient(place: string[], words: string[], stdio: StdioOptions = "pipe", env = {}): Client {
  const script = new URL("../support/thin-client.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...place, ...words], {
    stdio,
    env: { PATH: process.env["PATH"], ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  return { child, ended: once(child, "close").then(([code]: unknown[]) => ({ code, ...said })) };
}

const runClient = (...args: Parameters<typeof startClient>) => startClient(...args).ended;

test("the command is the name it is called by, or else the first word", () => {
  const words = (...argv: string[]) => commandLine({ argv: ["node", ...argv], verbs: VERBS }).rest;
  expect(words("/usr/local/bin/update-cert", "--json")).toEqual(["update-cert", "--json"]);
  expect(words("/update-cert.sh")).toEqual(["update-cert"]);
  expect(words("/usr/local/bin/cert-sidecar", "status", "-v")).toEqual(["status", "-v"]);
  expect(words("/app/cli.js")).toEqual([]);
});

test("it passes on the words, the output and the exit code, with stdin closed and no terminal", async () => {
  const { place } = await startDaemon(async (request, io) => {
    io.out(JSON.stringify(request));
    io.err("to stderr");
    return 3;
  });
  const { code, out, err } = await runClient(place, ["update-cert", "--json"], ["ignore", "pipe", "pipe"]);
  expect({ code, err }).toEqual({ code: 3, err: "to stderr" });
  expect(JSON.parse(out)).toEqual({
    command: "update-cert",
    args: ["--json"],
    terminal: { isTty: false },
  });
});

test("big output is whole when it exits", async () => {
  const { place } = await startDaemon(async (_request, io) => {
    for (let count = 0; count < 30; count += 1) io.out(`${"é".repeat(100_000)}\n`);
    return 0;
  });
  const { code, out } = await runClient(place, ["certificates"]);
  expect({ code, length: out.length }).toEqual({ code: 0, length: 30 * 100_001 });
});

test("without a daemon the command is done in place", async () => {
  const folder = await temporaryFolder();
  expect(await runClient(placeOf(folder), ["update-cert", "--dry-run"])).toEqual({
    code: 7,
    out: 'in place: {"command":"update-cert","args":["--dry-run"],"terminal":{"isTty":false},"tree":"/nowhere"}\n',
    err: "",
  });
});

test("a daemon that was just starting when it was asked is asked again", async () => {
  const folder = await temporaryFolder();
  const { child, ended } = startClient(placeOf(folder), ["update-cert"], "pipe", { HELD_WORDS: "held" });
  if (child.stdout === null) throw new Error("the client has no stdout");
  await once(child.stdout, "data"); // it has tried in place
  await startDaemon(async () => 5, folder);
  expect(await ended).toMatchObject({ code: 5, err: "" });
});

test("a lock that is held by somebody who doesn't answer is told", async () => {
  const folder = await temporaryFolder();
  const env = { HELD_WORDS: "in use by another\n" };
  expect(await runClient(placeOf(folder), ["update-cert"], "pipe", env)).toMatchObject({
    code: 1,
    err: "in use by another\n",
  });
});

test("without a daemon healthcheck fails and says why", async () => {
  const folder = await temporaryFolder();
  expect(await runClient(placeOf(folder), ["healthcheck"])).toEqual({
    code: 1,
    out: "",
    err: "the daemon doesn't answer\n",
  });
});

test("without a command it says how it is used", async () => {
  expect(await runClient([], [])).toMatchObject({ code: 2, err: expect.stringContaining("Usage: cert-sidecar") });
});

test("Ctrl-C ends the client with 130, and the daemon goes on", async () => {
  const goOn = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const { place } = await startDaemon(async (_request, io) => {
    started.resolve();
    await goOn.promise;
    finished.resolve(String(io.signal.aborted));
    return 0;
  });
  const { child, ended } = startClient(place, ["update-cert"]);
  await started.promise;
  child.kill("SIGINT");
  expect(await ended).toEqual({
    code: 130,
    out: "",
    err: "update-cert goes on in the daemon; `status` shows how it ends.\n",
  });
  goOn.resolve();
  expect(await finished.promise).toBe("true");
});

test("a daemon that ends in the middle is a failure that is told", async () => {
  const started = Promise.withResolvers<void>();
  const { place, lock } = await startDaemon(async () => {
    started.resolve();
    return new Promise<number>(() => undefined);
  });
  const { ended } = startClient(place, ["update-cert"]);
  await started.promise;
  await lock.release();
  const { code, err } = await ended;
  expect(code).toBe(1);
  expect(err).toContain("The daemon ended while update-cert was under way\n");
  expect(err).toContain("docker compose logs certbot");
});

test("a daemon that takes no request is told, not awaited for ever", async () => {
  const folder = await temporaryFolder();
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(join(folder, SOCKET_NAME), resolve));
  onTestFinished(() => void silent.close());
  const { code, err } = await runClient(placeOf(folder), ["status"]);
  expect(code).toBe(1);
  expect(err).toContain("has not taken status within 0.5 s");
});

test("a reader that goes away is no failure, and the exit code is still the command's", async () => {
  const readerGone = Promise.withResolvers<void>();
  const { place } = await startDaemon(async (_request, io) => {
    io.out("first\n");
    await readerGone.promise;
    for (let count = 0; count < 20; count += 1) io.out("x".repeat(10_000));
    return 4;
  });
  const { child, ended } = startClient(place, ["certificates"]);
  if (child.stdout === null) throw new Error("the client has no stdout");
  await once(child.stdout, "data");
  child.stdout.destroy();
  readerGone.resolve();
  expect(await ended).toMatchObject({ code: 4, err: "" });
});
