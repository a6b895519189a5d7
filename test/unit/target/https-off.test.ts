import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDeployment } from "../../../src/target/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { answer, inspectedContainer, startFakeEngine } from "../../support/fake-engine.ts";
import { startHttpsServer } from "../../support/https-server.ts";

const NEVER = new AbortController().signal;
const NOBODYS_PORT = 1;

let cleanups: (() => unknown)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(() => Promise.all(cleanups.map((cleanup) => cleanup())));

type Nginx = {
  readonly words: string;
  readonly port: number;
  readonly status?: string;
  readonly networks?: Readonly<Record<string, object>>;
};

/** Finds in a project that has these containers, numbered from 1. */
async function findAmong(all: readonly Nginx[], handshakeMs = 60_000) {
  const containers = all.map(({ words, port, ...rest }, index) =>
    inspectedContainer({
      id: `id-${index + 1}`,
      number: String(index + 1),
      env: [`NGINX_HTTPS_ENABLED=${words}`, `NGINX_SSL_PORT=${port}`],
      ...rest,
    }),
  );
  const engine = await startFakeEngine((path, response) => {
    const one = containers.find(({ Id }) => path === `/containers/${Id}/json`);
    if (path !== "/containers/json") return answer(response, one ?? { message: "none" }, one ? 200 : 404);
    const listed = containers.map(({ Id, Name, Config }) => ({ Id, Names: [Name], Labels: Config.Labels }));
    return answer(response, listed);
  });
  cleanups.push(() => engine.close());
  const { targets: source } = createDeployment({
    docker: engine.address,
    service: "nginx",
    project: "shop",
    clock: systemClock,
    log: collectLog(),
    random: Math.random,
    timeouts: { handshakeMs },
    ownHints: { mountinfo: async () => "", hostname: () => "0123456789ab" },
  });
  const {
    targets,
    off,
    missing: [missing],
  } = await source.find(NEVER);
  return { targets: targets.map(({ name }) => name), off, missing: missing?.failure.code };
}

async function tlsPort(): Promise<number> {
  const server = await startHttpsServer();
  cleanups.push(() => server.stop());
  return Number(new URL(server.origin).port);
}

/** The port of a server that takes every connection and says `greeting`, or nothing ever. */
async function tcpPort(greeting?: string): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    cleanups.push(() => socket.destroy());
    if (greeting !== undefined) socket.end(greeting);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port; // a TCP server has no other kind of address
}

describe("an nginx whose words say that HTTPS is off", () => {
  test.each(["false", "False", "FALSE", "false ", "false\r"])("%j is a target where TLS answers", async (words) => {
    const port = await tlsPort();
    expect(await findAmong([{ words, port }])).toEqual({ targets: ["nginx-1"], off: [], missing: undefined });
  });

  test("is off where nobody listens, and a neighbour that says nothing is a target", async () => {
    const found = await findAmong([
      { words: "False ", port: NOBODYS_PORT },
      { words: "", port: NOBODYS_PORT },
    ]);
    const off = [{ name: "nginx-1", reason: "NGINX_HTTPS_ENABLED is False there" }];
    expect(found).toEqual({ targets: ["nginx-2"], off, missing: undefined });
  });

  test("is a target where what listens is silent or speaks no TLS: its look tells what is wrong", async () => {
    const target = { targets: ["nginx-1"], off: [], missing: undefined };
    expect(await findAmong([{ words: "false", port: await tcpPort() }], 50)).toEqual(target);
    const port = await tcpPort("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await findAmong([{ words: "false", port }])).toEqual(target);
  });

  test("can't be called off where there is no way to look", async () => {
    const found = await findAmong([{ words: "false", port: NOBODYS_PORT, networks: {} }]);
    expect(found).toEqual({ targets: [], off: [], missing: "TARGET_UNREACHABLE" });
  });

  test("is off while it does not run, and no deploy waits for it as for one that says nothing", async () => {
    const down = { port: await tlsPort(), status: "exited" };
    const off = [{ name: "nginx-1", reason: "NGINX_HTTPS_ENABLED is false there" }];
    expect(await findAmong([{ ...down, words: "false" }])).toEqual({ targets: [], off, missing: undefined });
    const found = await findAmong([
      { ...down, words: "false" },
      { ...down, words: "" },
    ]);
    expect(found).toEqual({ targets: [], off, missing: "TARGET_NOT_RUNNING" });
  });
});
