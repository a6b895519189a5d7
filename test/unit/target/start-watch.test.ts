import { open, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createDeployment, type EngineLine } from "../../../src/target/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import {
  answer,
  inspectedContainer,
  startFakeEngine,
  type EngineHandler,
  type FakeEngine,
} from "../../support/fake-engine.ts";
import { poll } from "../../support/poll.ts";
import { collectLog } from "../../support/collected-log.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const CONTAINER_ID = "a".repeat(64);

let fake: FakeEngine | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

type Options = Parameters<typeof createDeployment>[0];

/** Watches the project `shop` of an engine, hurried. */
function watch(docker: Options["docker"], more: Partial<Options> = {}) {
  const { lines, ...log } = collectLog();
  const started: string[] = [];
  const controller = new AbortController();
  const timeouts = { callMs: 2000, reconnectFirstMs: 10, reconnectLongestMs: 40 };
  const parts = { docker, service: "nginx", project: "shop", clock: systemClock, log, random: () => 0.5, timeouts };
  const deployment = createDeployment({ ...parts, ...more });
  const ended = deployment.targets.watch((name) => started.push(name), controller.signal);
  return { started, lines, ended, stop: () => controller.abort(new Error("stop")) };
}

describe("the watch for starts", () => {
  const nginx = inspectedContainer({ id: CONTAINER_ID });
  const startOf = (number: string) => {
    const labels = {
      ...nginx.Config.Labels,
      "com.docker.compose.container-number": number,
      name: `shop-nginx-${number}`,
    };
    return Buffer.from(
      `${JSON.stringify({ Type: "container", Action: "start", Actor: { ID: CONTAINER_ID, Attributes: labels } })}\n`,
    );
  };

  async function watchOver(events: EngineHandler) {
    fake = await startFakeEngine((path, response, request) => {
      if (path === "/events") return events(path, response, request);
      if (path === "/containers/json")
        return answer(response, [{ Id: CONTAINER_ID, Names: ["/n"], Labels: nginx.Config.Labels }]);
      return path.includes(CONTAINER_ID)
        ? answer(response, nginx)
        : answer(response, { message: "no such container" }, 404);
    });
    return watch(fake.address);
  }

  test("hears starts whose lines come in pieces, and ends when it is told to, with nothing left open", async () => {
    const { started, lines, ended, stop } = await watchOver((_path, response) => {
      const bytes = Buffer.concat([startOf("1"), startOf("2")]);
      response.writeHead(200).write(bytes.subarray(0, 70));
      setTimeout(() => response.write(bytes.subarray(70)), 20);
    });
    await poll("both starts were heard", () => started.length === 2);
    expect(started).toEqual(["nginx-1", "nginx-2"]);
    expect(lines.map(({ event }) => event)).toEqual(["docker.connected"]);
    stop();
    await ended;
    await poll("no connection is left", () => fake?.connections() === 0);
  });

  test("connects again when the stream ends, and then tells all that run, since a start may have been missed", async () => {
    let streams = 0;
    const { started, lines, ended, stop } = await watchOver((_path, response) => {
      streams += 1;
      response.writeHead(200).flushHeaders();
      if (streams < 3) response.end();
    });
    await poll("it has connected three times", () => streams === 3 && started.length === 2);
    expect(started).toEqual(["nginx-1", "nginx-1"]);
    // A stream that was ended in order and could be opened again is no loss of Docker.
    expect(lines.map(({ event }) => event)).toEqual(["docker.connected"]);
    stop();
    await ended;
  });

  test("tells a loss once, and the return once, however many connections fail between", async () => {
    let streams = 0;
    const { started, lines, ended, stop } = await watchOver((_path, response) => {
      streams += 1;
      if (streams === 1) response.writeHead(200).write(startOf("1").subarray(0, 30), () => response.destroy());
      else if (streams < 5) answer(response, { message: "starting up" }, 503);
      else response.writeHead(200).flushHeaders();
    });
    await poll("it is connected again", () => lines.filter(({ event }) => event === "docker.connected").length === 2);
    await poll("what runs was told", () => started.length === 1);
    expect(lines.map(({ level, event }) => `${level} ${event}`)).toEqual([
      "info docker.connected",
      "warn docker.lost",
      "info docker.connected",
    ]);
    expect(lines[1]?.fields).toMatchObject({ endpoint: fake?.socketPath, code: "DOCKER_REQUEST_FAILED" });
    stop();
    await ended;
  });

  test("takes a proxy that has no rules yet for one that will: it is asked again, and then all that run are told", async () => {
    let events = 0;
    const { started, lines, ended, stop } = await watchOver((_path, response) => {
      events += 1;
      if (events < 4) answer(response, { message: "no rule" }, 403);
      else response.writeHead(200).flushHeaders();
    });
    await poll("what runs was told", () => started.length === 1);
    expect(lines.map(({ level, event }) => `${level} ${event}`)).toEqual(["warn docker.lost", "info docker.connected"]);
    expect(lines[0]?.fields).toMatchObject({ code: "DOCKER_DENIED" });
    stop();
    await ended;
  });

  test("says whether the engine starts us again, and when the socket that is mounted here was replaced", async () => {
    const folder = await temporaryFolder();
    const socketPath = join(folder, "docker.sock");
    const own = { ...nginx, HostConfig: { ...nginx.HostConfig, RestartPolicy: { Name: "unless-stopped" } } };
    fake = await startFakeEngine((path, response) => {
      if (path === "/events") response.writeHead(200).flushHeaders();
      else answer(response, own);
    });
    await symlink(fake.socketPath, socketPath);
    const heard: EngineLine[] = [];
    const { ended, stop } = watch(
      { kind: "socket", socketPath },
      {
        project: undefined,
        ownHints: { mountinfo: async () => "", hostname: () => CONTAINER_ID.slice(0, 12) },
        onLine: (line) => heard.push(line),
      },
    );
    await poll("it is connected", () => heard.length === 1);
    expect(heard).toEqual([{ kind: "connected", isRestarted: true }]);
    await using file = await open(join(folder, "replaced"), "w");
    await rm(join(folder, "replaced"));
    await symlink(`/proc/self/fd/${file.fd}`, join(folder, "new"));
    await rename(join(folder, "new"), socketPath);
    await fake.close();
    fake = undefined;
    await poll("it is lost", () => heard.some((line) => line.kind === "lost" && line.isSocketReplaced));
    stop();
    await ended;
  });

  test("passes over a container that has our label from its image alone, at its start and at each new connection", async () => {
    const [ofImage, ofOperator] = ["b", "c"].map((letter) =>
      inspectedContainer({
        id: letter.repeat(64),
        service: `web-${letter}`,
        labels: { "cert-sidecar.deploy": "nginx" },
      }),
    );
    const all = [ofImage, ofOperator].flatMap((one) => one ?? []);
    const imageOf = (one: (typeof all)[number]) => ({
      ...one,
      Image: one === ofImage ? "sha256:labelled" : "sha256:0",
    });
    let streams = 0;
    fake = await startFakeEngine((path, response) => {
      if (path === "/events") {
        streams += 1;
        response.writeHead(200).flushHeaders();
        const start = (one: (typeof all)[number]) => ({ Actor: { ID: one.Id, Attributes: one.Config.Labels } });
        if (streams === 1) response.end(all.map((one) => `${JSON.stringify(start(one))}\n`).join(""));
        return;
      }
      if (path === "/containers/json")
        return answer(
          response,
          all.map(({ Id, Config }) => ({ Id, Labels: Config.Labels })),
        );
      const isLabelled = path.includes("labelled");
      if (path.startsWith("/images/"))
        return answer(response, { Config: { Labels: isLabelled ? { "cert-sidecar.deploy": "nginx" } : {} } });
      const found = all.find(({ Id }) => path.includes(Id));
      return found ? answer(response, imageOf(found)) : answer(response, { message: "none" }, 404);
    });
    const { started, ended, stop } = watch(fake.address);
    await poll("the operator's is told twice", () => started.filter((name) => name === "web-c-1").length === 2);
    expect(started).toEqual(["web-c-1", "web-c-1"]);
    stop();
    await ended;
  });

  test("ends at once while it pauses between two tries", async () => {
    const away = { kind: "socket", socketPath: "/nowhere/docker.sock" } as const;
    const { lines, ended, stop } = watch(away, { timeouts: { reconnectFirstMs: 60_000 } });
    await poll("the loss was told", () => lines.length === 1);
    stop();
    await ended;
    expect(lines.map(({ event }) => event)).toEqual(["docker.lost"]);
  });
});
