import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createComposeSource } from "../../../src/target/compose.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import type { TargetTools } from "../../../src/target/kind.ts";
import { nginx } from "../../../src/target/nginx.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { systemClock } from "../../../src/system/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { engineWith, type EngineStage } from "../../support/command-engine.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { startHttpsServer } from "../../support/https-server.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NEVER = new AbortController().signal;
const NOBODYS_PORT = 1;
const CONF = "# configuration file /etc/nginx/nginx.conf:\n";

let cleanups: (() => unknown)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(() => Promise.all(cleanups.map((cleanup) => cleanup())));

type Nginx = {
  /** What it answers when it is asked whether HTTPS is off. */
  readonly says?: NonNullable<EngineStage["ends"]>[string];
  readonly port: number;
  readonly status?: string;
  readonly networks?: Readonly<Record<string, object>>;
};

async function find({ says = {}, port, ...more }: Nginx, handshakeMs = 60_000) {
  const env = ["NGINX_HTTPS_ENABLED=false", `NGINX_SSL_PORT=${port}`];
  const { engine, ran } = engineWith({
    ends: { https: says },
    containers: [inspectedContainer({ id: "a", env, ...more })],
  });
  const common = { engine, clock: systemClock, random: Math.random, handshakeMs };
  const source = createComposeSource({
    ...common,
    services: ["nginx"],
    scope: "default",
    project: "shop",
    log: collectLog(),
    ownHints: { mountinfo: async () => "", hostname: () => "0123456789ab" },
    reconnectFirstMs: 1,
    reconnectLongestMs: 1,
    kinds: [nginx],
    tools: createTargetTools(common),
  });
  const { targets, off, missing } = await source.find(NEVER);
  const found = { targets: targets.map(({ name }) => name), off, missing: missing.map(({ failure }) => failure.code) };
  return { ...found, ran };
}

const TARGET = { targets: ["nginx-1"], off: [], missing: [] };

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

describe("an nginx", () => {
  test.each([
    ["off-by-setting", "NGINX_HTTPS_ENABLED is false there"],
    ["off-by-rescue", "HTTPS is off there since nginx refused its configuration at its start, as its log says"],
    [`${CONF}http { server { listen 80; } }`, "no listener in its configuration has ssl"],
  ])("that says %j is off where nobody listens, with the reason", async (stdout, reason) => {
    const found = await find({ says: { stdout: `${stdout}\n` }, port: NOBODYS_PORT });
    expect(found).toMatchObject({
      targets: [],
      off: [{ name: "nginx-1", reason, ...(stdout === "off-by-rescue" && { isFault: true }) }],
      missing: [],
    });
  });

  test.each<[string, NonNullable<Nginx["says"]>]>([
    ["on", { stdout: "on\n" }],
    ["nothing", {}],
    ["nothing, having no shell,", { exitCode: 127, stdout: "exec failed" }],
    ["nothing, as the engine fails,", new Error("oops")],
  ])("that says %s is a target though nobody listens, and though NGINX_HTTPS_ENABLED is false", async (_, says) => {
    expect(await find({ says, port: NOBODYS_PORT })).toMatchObject(TARGET);
  });

  test("that serves TLS is a target and isn't asked, whatever it says", async () => {
    const found = await find({ says: { stdout: "off-by-setting" }, port: await tlsPort() });
    expect(found).toEqual({ ...TARGET, ran: [] });
  });

  test("is a target where what listens is silent or speaks no TLS: its look tells what is wrong", async () => {
    const says = { stdout: "off-by-setting" };
    expect(await find({ says, port: await tcpPort() }, 50)).toMatchObject(TARGET);
    expect(await find({ says, port: await tcpPort("HTTP/1.1 400 Bad Request\r\n\r\n") })).toMatchObject(TARGET);
  });

  test("can't be called off where there is no way to look, or where it does not run", async () => {
    const says = { stdout: "off-by-setting" };
    expect(await find({ says, port: NOBODYS_PORT, networks: {} })).toMatchObject({
      off: [],
      missing: ["TARGET_UNREACHABLE"],
    });
    expect(await find({ says, port: NOBODYS_PORT, status: "exited" })).toMatchObject({
      off: [],
      missing: ["TARGET_NOT_RUNNING"],
    });
  });
});

describe("a foreign nginx says that HTTPS is off", () => {
  /** What it says where `nginx -T` prints this; undefined: nginx refuses its configuration. */
  async function saysWith(configuration: string | undefined): Promise<string> {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "conf"), configuration === undefined ? "" : `${CONF}${configuration}`);
    const stub = `#!/bin/sh\n[ "$1" = -T ] && cat ${folder}/conf && ${configuration !== undefined}\n`;
    await writeFile(join(folder, "nginx"), stub, { mode: 0o755 });
    const { engine } = engineWith({});
    const exec: TargetTools["exec"] = async (_, [file = "", ...args]) => {
      const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}` };
      const { status: exitCode, stdout, stderr } = spawnSync(file, args, { env, encoding: "utf8" });
      return { exitCode: exitCode ?? undefined, stdout, stderr };
    };
    const tools = { ...createTargetTools({ engine, clock: systemClock, random: Math.random, handshakeMs: 1 }), exec };
    const container = readContainer(inspectedContainer({ id: "a" }));
    const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port: 443, wants: () => true };
    return (await nginx.whyOff(place, tools, NEVER))?.reason ?? "";
  }

  test.each([
    "",
    "http { server { listen 80; server_name ssl.test; } }",
    "http { server {\n  listen 80;\n  # listen 443 ssl;\n  ssl_certificate x;\n} }",
    "http { server { listen 80; ssl off; listen_ssl ssl; } }",
  ])("with the configuration %j", async (configuration) => {
    expect(await saysWith(configuration)).toBe("no listener in its configuration has ssl");
  });

  test.each([
    undefined,
    "http { server { listen 443 ssl; } }",
    "http { server {\n\tlisten\n\t[::]:8443 default_server\tssl http2;\n} }",
    "stream { server { listen 8443 ssl; } }",
    "http{server{listen 443 ssl;}}",
    "http { server { listen 443; ssl on; } }",
    "http { server { listen 443 quic reuseport; } }",
  ])("but not with the configuration %j", async (configuration) => {
    expect(await saysWith(configuration)).toBe("");
  });
});
