import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { toFailure } from "../../../src/certificate/index.ts";
import { createEngine, type Engine } from "../../../src/target/docker/engine.ts";
import { createDeployment } from "../../../src/target/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { answer, startFakeEngine, type EngineHandler, type FakeEngine } from "../../support/fake-engine.ts";
import { hurriedClock } from "../../support/hurried-clock.ts";
import { poll } from "../../support/poll.ts";
import { collectLog } from "../../support/collected-log.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NEVER = new AbortController().signal;
// What a call may take where it is not to be waited for.
const PATIENT_MS = 60_000;
const CONTAINER = { id: "a".repeat(64), name: "shop-nginx-1" };

let fake: FakeEngine | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function engineThat(handler: EngineHandler, timeouts = { callMs: 5000, execMs: 5000 }): Promise<Engine> {
  fake = await startFakeEngine(handler);
  return createEngine({ docker: fake.address, clock: systemClock, timeouts });
}

// The stream format of the engine's attach: one byte for the stream, three of nothing, four of length.
function frame(stream: 1 | 2, text: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

describe("an engine that can't be used", () => {
  test("without a socket: says which one, and to mount it", async () => {
    const engine = createEngine({
      docker: { kind: "socket", socketPath: "/nowhere/docker.sock" },
      clock: systemClock,
      timeouts: { callMs: 5000, execMs: 5000 },
    });
    const failure = engine.list([], NEVER);
    await expect(failure).rejects.toMatchObject({
      code: "DOCKER_UNREACHABLE",
      remedy: expect.stringContaining("Mount"),
    });
    await expect(failure).rejects.toThrow(/list containers.*ENOENT.*\/nowhere\/docker\.sock/);
  });

  test("with a socket that was replaced on the host: says so, and the command that mounts the new one", async () => {
    const folder = await temporaryFolder();
    await using file = await open(join(folder, "docker.sock"), "w");
    await rm(join(folder, "docker.sock"));
    // A file of no name, as a bind mount of one that was replaced leaves it.
    const socketPath = `/proc/self/fd/${file.fd}`;
    const timeouts = { callMs: 5000, execMs: 5000 };
    const engine = createEngine({ docker: { kind: "socket", socketPath }, clock: systemClock, timeouts });
    await expect(engine.list([], NEVER)).rejects.toMatchObject({
      code: "DOCKER_SOCKET_REPLACED",
      message: `could not list containers: ${socketPath}, which is mounted here, is no longer the Docker engine's socket: the host has a new one`,
      remedy: expect.stringContaining("docker compose up -d --force-recreate certbot"),
    });
  });

  test("with a socket that nobody listens on any more", async () => {
    const engine = await engineThat(() => {});
    const { socketPath } = fake ?? { socketPath: "" };
    await fake?.close();
    fake = undefined;
    await rm(socketPath, { force: true });
    await expect(engine.list([], NEVER)).rejects.toMatchObject({ code: "DOCKER_UNREACHABLE" });
  });

  test("behind a proxy that forbids it: names what to allow, and gives the proxy's words", async () => {
    const engine = await engineThat(
      (_path, response) => void response.writeHead(403).end("<html><h1>403 Forbidden</h1></html>"),
    );
    const failure = engine.exec(CONTAINER, ["nginx", "-t"], NEVER);
    await expect(failure).rejects.toMatchObject({ code: "DOCKER_DENIED", remedy: expect.stringContaining("EXEC") });
    await expect(failure).rejects.toThrow(/run "nginx -t" in shop-nginx-1.*HTTP 403: 403 Forbidden/);
  });

  test("that fails: gives its words and status", async () => {
    const engine = await engineThat((_path, response) => answer(response, { message: "the disk is gone" }, 500));
    await expect(engine.list([], NEVER)).rejects.toMatchObject({ code: "DOCKER_REQUEST_FAILED", status: 500 });
    await expect(engine.list([], NEVER)).rejects.toThrow(/HTTP 500: the disk is gone/);
  });

  test("that hangs: gives up after its time, and at once when aborted", async () => {
    const engine = await engineThat(() => {}, { callMs: 100, execMs: 100 });
    await expect(engine.list([], NEVER)).rejects.toMatchObject({ code: "DOCKER_UNREACHABLE" });
    const patient = createEngine({
      docker: fake?.address ?? { kind: "socket", socketPath: "" },
      clock: systemClock,
      timeouts: { callMs: PATIENT_MS, execMs: PATIENT_MS },
    });
    const controller = new AbortController();
    const reason = new Error("stopping");
    const startedAt = performance.now();
    const call = patient.inspect("x", controller.signal);
    await poll("the request has arrived", () =>
      fake?.requests.some((request) => request.includes("/containers/x/json")),
    );
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(PATIENT_MS / 2);
    await poll("no connection is left", () => fake?.connections() === 0);
  });

  test("that sends half an answer and stops", async () => {
    const engine = await engineThat((_path, response) => void response.writeHead(200).write('[{"Id":'), {
      callMs: 100,
      execMs: 100,
    });
    await expect(engine.list([], NEVER)).rejects.toMatchObject({ code: "DOCKER_UNREACHABLE" });
    await poll("no connection is left", () => fake?.connections() === 0);
  });

  test("is what find tells, without throwing", async () => {
    const { targets: source, front } = createDeployment({
      docker: { kind: "socket", socketPath: "/nowhere/docker.sock" },
      service: "nginx",
      project: "shop",
      clock: systemClock,
      log: collectLog(),
      random: Math.random,
      ownHints: { mountinfo: async () => "", hostname: () => "0123456789ab" },
    });
    expect(await source.find(NEVER)).toMatchObject({
      targets: [],
      off: [],
      missing: [{ name: "nginx", failure: { code: "DOCKER_UNREACHABLE" } }],
    });
    expect(await front.httpUrl(NEVER)).toBeUndefined();
    await expect(source.find(AbortSignal.abort("stop"))).rejects.toBe("stop");
    await expect(front.httpUrl(AbortSignal.abort("stop"))).rejects.toBe("stop");
  });
});

describe("what is done to a container", () => {
  const acts: Record<string, (engine: Engine) => Promise<unknown>> = {
    "send the signal HUP to shop-nginx-1": (engine) => engine.kill(CONTAINER, "HUP", NEVER),
    "restart shop-nginx-1": (engine) => engine.restart(CONTAINER, NEVER),
    "put files into /etc/ of shop-nginx-1": (engine) =>
      engine.unpack(CONTAINER, { folder: "/etc/", tar: Buffer.alloc(1024) }, NEVER),
    "read /etc/a in shop-nginx-1": (engine) => engine.readFile(CONTAINER, "/etc/a", NEVER),
  };

  test.each(Object.entries(acts))(
    "to %s: says what a proxy forbids, and gives up on an engine that hangs",
    async (doing, act) => {
      const denied = act(await engineThat((_path, response) => void response.writeHead(403).end("no")));
      await expect(denied).rejects.toMatchObject({ code: "DOCKER_DENIED" });
      await expect(denied).rejects.toThrow(doing);
      await fake?.close();
      fake = await startFakeEngine(() => {});
      const timeouts = { callMs: 10_000, execMs: 10_000 };
      const hanging = act(createEngine({ docker: fake.address, clock: hurriedClock(), timeouts }));
      // A restart has the container's grace as well.
      const within = doing.startsWith("restart") ? "20 s" : "10 s";
      await expect(hanging).rejects.toMatchObject({ code: "DOCKER_UNREACHABLE" });
      await expect(hanging).rejects.toThrow(`no answer within ${within}`);
      await poll("no connection is left", () => fake?.connections() === 0);
    },
  );

  test("a file that isn't there is nothing; an archive that breaks off is a failure", async () => {
    const engine = await engineThat((_path, response) => answer(response, { message: "could not find the file" }, 404));
    expect(await engine.readFile(CONTAINER, "/etc/a", NEVER)).toBeUndefined();
    await fake?.close();
    const broken = await engineThat((_path, response) => {
      response.writeHead(200, { "Content-Length": "2048" }).write(Buffer.alloc(512));
      setImmediate(() => response.destroy());
    });
    await expect(broken.readFile(CONTAINER, "/etc/a", NEVER)).rejects.toMatchObject({ code: "DOCKER_REQUEST_FAILED" });
  });
});

describe("a command in a container", () => {
  const script = (start: EngineHandler, inspections: readonly object[]): EngineHandler => {
    let looks = 0;
    return (path, response, request) => {
      if (path.endsWith("/exec")) return answer(response, { Id: "e1" }, 201);
      if (path.endsWith("/start")) return start(path, response, request);
      looks += 1;
      return answer(response, inspections[Math.min(looks, inspections.length) - 1]);
    };
  };
  const running = { Running: true, ExitCode: null };

  test("gives exit code and both outputs, whole though they come in pieces, once it has ended", async () => {
    const bytes = Buffer.concat([frame(2, "warn: "), frame(1, "hello"), frame(2, "bad\n")]);
    const start: EngineHandler = (_path, response) => {
      response.writeHead(200, { "Content-Type": "application/vnd.docker.raw-stream" });
      for (const byte of bytes) response.write(Buffer.from([byte]));
      response.end();
    };
    const engine = await engineThat(script(start, [running, running, { Running: false, ExitCode: 1 }]));
    const result = await engine.exec(CONTAINER, ["nginx", "-t"], NEVER);
    expect(result).toEqual({ exitCode: 1, stdout: "hello", stderr: "warn: bad", whole: "hello" });
    await poll("no connection is left", () => fake?.connections() === 0);
  });

  test("whose exit code the engine does not know is no success", async () => {
    const engine = await engineThat(
      script((_path, response) => void response.writeHead(200).end(), [{ Running: false, ExitCode: null }]),
    );
    expect(await engine.exec(CONTAINER, ["true"], NEVER)).toMatchObject({ exitCode: undefined });
  });

  test("that prints without end is bounded, and keeps the last words", async () => {
    const start: EngineHandler = (_path, response) => {
      response.writeHead(200);
      for (let n = 0; n < 50; n += 1) response.write(frame(2, "x".repeat(8192)));
      response.end(frame(2, "the reason"));
    };
    const engine = await engineThat(script(start, [{ Running: false, ExitCode: 1 }]));
    const { stderr } = await engine.exec(CONTAINER, ["nginx", "-t"], NEVER);
    expect(stderr.length).toBeLessThanOrEqual(64 * 1024 + 1);
    expect(stderr).toMatch(/^…x.*xthe reason$/);
  });

  test("that prints a long text is told whole, up to 4 MiB, beside its end", async () => {
    const printing = async (kilobytes: number) => {
      const start: EngineHandler = (_path, response) => {
        response.writeHead(200);
        for (let n = 0; n < kilobytes / 8; n += 1) response.write(frame(1, String(n % 10).repeat(8192)));
        response.end(frame(1, "end"));
      };
      const engine = await engineThat(script(start, [{ Running: false, ExitCode: 0 }]));
      return engine.exec(CONTAINER, ["nginx", "-T"], NEVER);
    };
    const long = await printing(400);
    expect(long.whole).toMatch(/^0{8192}1{8192}.*9{8192}end$/);
    expect(long.whole?.length).toBe(400 * 1024 + 3);
    expect(long.stdout.length).toBeLessThanOrEqual(64 * 1024 + 1);
    expect(long.stdout).toMatch(/^….*9{8192}end$/);
    expect((await printing(4096)).whole).toBeUndefined();
  });

  test("that never ends is given up after its time, in words about the command", async () => {
    const hang: EngineHandler = (_path, response) => void response.writeHead(200).write(frame(1, "wait"));
    const engine = await engineThat(script(hang, [running]), { callMs: 5000, execMs: 150 });
    const failure = engine.exec(CONTAINER, ["nginx", "-t"], NEVER);
    await expect(failure).rejects.toMatchObject({ code: "TARGET_COMMAND_TIMED_OUT" });
    await expect(failure).rejects.toThrow(/"nginx -t" in shop-nginx-1 did not end within 0\.15 s/);
    await poll("no connection is left", () => fake?.connections() === 0);
  });

  test("on hundreds of certificates is told in a few words", async () => {
    const hang: EngineHandler = (_path, response) => void response.writeHead(200).write(frame(1, "wait"));
    const engine = await engineThat(script(hang, [running]), { callMs: 5000, execMs: 150 });
    const lineages = Array.from({ length: 500 }, (_, index) => `shop-${index}.test`);
    const failure = toFailure(
      await engine.exec(CONTAINER, ["step", ...lineages], NEVER).catch((thrown: unknown) => thrown),
    );
    expect(failure.code).toBe("TARGET_COMMAND_TIMED_OUT");
    expect(failure.message).toMatch(/^"step shop-0\.test .*…" in shop-nginx-1 did not end/);
    expect(failure.message.length + failure.remedy.length).toBeLessThan(800);
  });
});
