import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diskLeaf, isDiskServed, servedLeaf } from "./support/served.ts";
import { createStack, SIDECAR_IMAGE, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const NO_SOCKET = `
services:
  certbot:
    volumes: !override
      - ./volumes/certbot/conf:/etc/letsencrypt
      - ./volumes/certbot/www:/var/www/html
      - ./volumes/certbot/logs:/var/log/letsencrypt
`;

// Hands every connection on to the engine's socket, as socket proxies do; its end cuts them all.
const FORWARD = [
  'const { connect, createServer } = require("node:net");',
  "createServer((client) => {",
  '  const engine = connect("/var/run/docker.sock");',
  '  for (const [from, to] of [[client, engine], [engine, client]]) from.pipe(to).on("error", () => from.destroy());',
  "}).listen(2375);",
].join(" ");

const BY_PROXY = `${NO_SOCKET}
    environment:
      DOCKER_HOST: tcp://docker-proxy:2375
  docker-proxy:
    image: ${SIDECAR_IMAGE}
    profiles: [certbot]
    init: true
    stop_grace_period: 0s
    healthcheck: { disable: true }
    entrypoint: ["node", "-e", ${JSON.stringify(FORWARD)}]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock"]
`;

let stack: Stack;

beforeAll(async () => {
  // The schedule is far away, so that nothing but what is tested here can set something right.
  const env = { CERTBOT_SCHEDULE: "0 0 1 1 *" };
  stack = await createStack({ env, lifetimeS: 40, authorizationReusePercent: 100, override: NO_SOCKET });
  // Without Docker the sidecar can't see whether nginx is still starting, and the CA would ask too early on a busy machine.
  await stack.up("nginx", "pebble");
  await until("nginx answers", async () =>
    (await fetch(`http://127.0.0.1:${stack.httpPort}/`)).ok ? true : undefined,
  );
  await stack.up("certbot");
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

describe("without the Docker socket", () => {
  test("a certificate is issued and renewed all the same, by itself", async () => {
    await until("a renewal is on disk", async () => ((await isRenewed()) ? true : undefined), 90_000);
    expect((await diskLeaf(stack)).validToDate.getTime()).toBeGreaterThan(Date.now());
    // Nobody could tell nginx.
    expect((await servedLeaf(stack)).issuer).not.toContain("Pebble");
  });

  test("update-cert ends with exit code 1, and names the socket and the remedy", async () => {
    const update = await stack.certbot("update-cert");
    expect(update.stderr).toContain("the Docker engine at /var/run/docker.sock can't be reached");
    expect(update.stderr).toContain("[DOCKER_UNREACHABLE]");
    expect(update.stderr).toContain("what to do: Mount the engine's socket on /var/run/docker.sock");
    expect(update.code).toBe(1);
  });

  test("status and health name it too, and the log tells each of its failures once with the remedy", async () => {
    const status = await stack.certbot("status");
    expect(status.stdout).toContain("the Docker engine at /var/run/docker.sock can't be reached");
    expect(status.stdout).toContain("what to do: Mount the engine's socket");
    expect(status.code).toBe(1);
    const health = await stack.certbot("healthcheck");
    expect(health.stdout + health.stderr).toContain("the Docker engine at /var/run/docker.sock can't be reached");
    expect(health.code).toBe(1);

    const events = await stack.events();
    expect(events.filter(({ event }) => event === "docker.lost")).toHaveLength(1);
    const postponed = events.filter(({ event }) => event === "deploy.postponed");
    expect(postponed.length).toBeGreaterThan(0);
    for (const { remedy } of postponed) expect(remedy).toContain("Mount the engine's socket");
  });
});

describe("with a socket proxy", () => {
  test("it is reached by DOCKER_HOST, and what waited is deployed", async () => {
    await stack.layOver(BY_PROXY);
    await stack.up("docker-proxy");
    await stack.up("certbot");
    await until("what is on disk is served", async () => ((await isDiskServed(stack)) ? true : undefined));
    const well = await until("status says that all is well", async () => {
      const { code, stdout } = await stack.certbot("status");
      return code === 0 ? stdout : undefined;
    });
    expect(well).toContain("nginx-1: serves this version");
  });

  test("whose event stream was cut: a start of nginx that nobody could tell is made up for once it is back", async () => {
    await lengthenLives();
    await stack.composeOk("stop", "docker-proxy");
    await until("the loss is told", async () => ((await lastDockerEvent()) === "docker.lost" ? true : undefined));
    // It comes back with the old certificate in memory, and its start is told to nobody.
    await stack.composeOk("pause", "nginx");
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stderr).toContain("docker-proxy:2375 can't be reached");
    expect(renewal.code).toBe(1);
    await stack.composeOk("unpause", "nginx");
    expect(await isDiskServed(stack)).toBe(false);

    const orders = await stack.orders();
    await stack.composeOk("start", "docker-proxy");
    await until("the return is told", async () =>
      (await lastDockerEvent()) === "docker.connected" ? true : undefined,
    );
    await until("the new version is served", async () => ((await isDiskServed(stack)) ? true : undefined));
    expect(await stack.orders()).toBe(orders);
  });
});

async function isRenewed(): Promise<boolean> {
  return (await stack.events()).some(({ event }) => event === "lineage.renewed");
}

/** From now on the demo CA's certificates live for 90 days, so that no renewal comes in between. It forgets everything. */
async function lengthenLives(): Promise<void> {
  const file = join(stack.folder, "volumes/pebble/config.json");
  const config = await readFile(file, "utf8");
  await writeFile(file, config.replace(/"validityPeriod": \d+/, `"validityPeriod": ${90 * 24 * 3600}`));
  await stack.composeOk("restart", "-t", "1", "pebble");
  await until("the certificate is one of 90 days", async () => {
    const { code } = await stack.certbot("update-cert", "--force-renewal");
    return code === 0 ? true : undefined;
  });
}

async function lastDockerEvent(): Promise<unknown> {
  return (await stack.events()).findLast(({ event }) => String(event).startsWith("docker."))?.event;
}
