import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { askDaemon, DaemonLostError } from "../../../src/control/index.ts";
import type { ControlIo } from "../../../src/control/index.ts";
import { SOCKET_NAME } from "../../../src/lock/index.ts";
import { startCommandDaemon } from "../../support/command-daemon.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PATIENCE = { timeout: 5000 };
const never = new AbortController().signal;
const terminal = { isTty: true };

async function ask(socket: string, command: string, args: string[] = []) {
  const said = { out: "", err: "" };
  const exitCode = await askDaemon(
    { command, args, terminal },
    {
      sockets: [socket],
      out: (text) => {
        said.out += text;
      },
      err: (text) => {
        said.err += text;
      },
    },
    never,
  );
  return { exitCode, ...said };
}

async function receive(connection: Socket): Promise<string> {
  let text = "";
  connection.on("data", (chunk) => {
    text += chunk.toString();
  });
  await once(connection, "close");
  return text;
}

test("a client gets what the command prints, on both channels, and its exit code", async () => {
  const { socket } = await startCommandDaemon(async ({ command, args, terminal }, io) => {
    io.out(`${command} ${args.join(" ")} ${JSON.stringify(terminal)}\n`);
    io.err("a warning: é€😀\n");
    return 3;
  });
  expect(await ask(socket, "update-cert", ["--json", ""])).toEqual({
    exitCode: 3,
    out: `update-cert --json  ${JSON.stringify(terminal)}\n`,
    err: "a warning: é€😀\n",
  });
});

test("output of several megabytes arrives whole", async () => {
  const line = `${"é😀".repeat(40)}\n`;
  const { socket } = await startCommandDaemon(async (_request, io) => {
    io.out(line.repeat(5000));
    for (let count = 0; count < 40; count += 1) io.out(line.repeat(500));
    return 0;
  });
  const { exitCode, out } = await ask(socket, "certificates");
  expect(exitCode).toBe(0);
  expect(out === line.repeat(5000 + 40 * 500)).toBe(true);
});

test("a command that fails without catching it is told to the client as exit code 1", async () => {
  const { socket } = await startCommandDaemon(async () => {
    throw new Error("the disk is gone");
  });
  expect(await ask(socket, "status")).toMatchObject({
    exitCode: 1,
    err: "the disk is gone\n",
  });
});

test("many clients are served at the same time", async () => {
  let waiting = 0;
  const all = Promise.withResolvers<void>();
  const { socket } = await startCommandDaemon(async (request, io) => {
    waiting += 1;
    if (waiting === 10) all.resolve();
    await all.promise;
    io.out(request.args.join());
    return 0;
  });
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => ask(socket, "status", [String(index)])));
  expect(answers.map(({ out }) => out)).toEqual(Array.from({ length: 10 }, (_, index) => String(index)));
});

test("a client that goes away aborts its command's signal, and the command may go on", async () => {
  const started = Promise.withResolvers<ControlIo>();
  const goOn = Promise.withResolvers<void>();
  const { socket } = await startCommandDaemon(async (_request, io) => {
    started.resolve(io);
    await goOn.promise;
    io.out("nobody hears this");
    return 0;
  });
  const client = new AbortController();
  const asked = askDaemon(
    { command: "update-cert", args: [], terminal },
    { sockets: [socket], out: () => undefined, err: () => undefined },
    client.signal,
  );
  const io = await started.promise;
  expect(io.signal.aborted).toBe(false);
  client.abort(new Error("Ctrl-C"));
  await expect(asked).rejects.toThrow("Ctrl-C");
  await vi.waitFor(() => expect(io.signal.reason).toMatchObject({ code: "CLIENT_GONE" }), PATIENCE);
  goOn.resolve();
  await expect(ask(socket, "status")).resolves.toBeDefined();
});

test("a client that doesn't read is cut off before it costs much memory, and others don't notice", async () => {
  const cutOff = Promise.withResolvers<void>();
  const { socket } = await startCommandDaemon(async ({ command }, io) => {
    if (command === "status") return 0;
    while (!io.signal.aborted) {
      io.out("x".repeat(1024 * 1024));
      await new Promise(setImmediate);
    }
    cutOff.resolve();
    return 0;
  });
  const lazy = connect(socket);
  onTestFinished(() => void lazy.destroy());
  lazy.pause();
  lazy.write('{"command":"certificates","args":[]}\n');
  await cutOff.promise;
  expect((await ask(socket, "status")).exitCode).toBe(0);
});

test.each([
  ["an endless line", "x".repeat(70_000), "longer than"],
  ["no JSON", "GET / HTTP/1.1\r\n\r\n", "not JSON"],
  ["no command", '{"args":[]}\n', "names no command"],
])("a request of %s is refused with exit code 2", async (_name, bytes, words) => {
  const { socket } = await startCommandDaemon(async () => 0);
  const connection = connect(socket);
  connection.on("error", () => undefined);
  connection.write(bytes);
  const answer = await receive(connection);
  expect(answer).toContain(words);
  expect(answer).toContain('{"exit":2}');
});

test("a request that comes byte by byte is understood, and what follows it is ignored", async () => {
  const { socket } = await startCommandDaemon(async ({ args }, io) => {
    io.out(args.join());
    return 0;
  });
  const connection = connect(socket);
  for (const byte of Buffer.from('{"command":"status","args":["é"]}\n{"command":"status","args":[]}\n')) {
    connection.write(Buffer.from([byte]));
  }
  expect(await receive(connection)).toBe('{"accepted":true}\n{"out":"é"}\n{"exit":0}\n');
});

test("a daemon of another version is asked, and understood, in the same words", async () => {
  const socket = join(await temporaryFolder(), SOCKET_NAME);
  const asked = Promise.withResolvers<string>();
  const daemon = createServer((connection) => {
    connection.once("data", (chunk) => asked.resolve(chunk.toString()));
    connection.end('{"accepted":true}\n{"out":"a"}\n{"progress":0.5}\n{"err":"b"}\n{"exit":4}\n');
  });
  await new Promise<void>((resolve) => daemon.listen(socket, resolve));
  onTestFinished(() => void daemon.close());
  expect(await ask(socket, "update-cert", ["-v"])).toEqual({ exitCode: 4, out: "a", err: "b" });
  expect(await asked.promise).toBe('{"command":"update-cert","args":["-v"],"terminal":{"isTty":true}}\n');
});

test("closing lets a command say its last word and ends clients that go on", async () => {
  const { socket, lock } = await startCommandDaemon(async ({ command }, io) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (command === "polite") io.signal.addEventListener("abort", () => resolve());
    io.out("started\n");
    await promise;
    io.err(String(io.signal.reason.message));
    return 1;
  });
  const idle = connect(socket);
  const polite = ask(socket, "polite");
  const stubborn = ask(socket, "stubborn");
  const stubbornEnd = stubborn.catch((thrown: unknown) => thrown);
  await vi.waitFor(async () => expect((await ping(socket)).length).toBeGreaterThan(0), PATIENCE);
  await lock.release();
  expect(await polite).toMatchObject({ exitCode: 1, err: "The daemon is stopping" });
  expect(await stubbornEnd).toBeInstanceOf(DaemonLostError);
  idle.destroy();
  expect((await ask(socket, "status")).exitCode).toBeUndefined();
});

function ping(socket: string): Promise<string> {
  const connection = connect(socket);
  connection.write('{"ping":true}\n');
  return receive(connection);
}
