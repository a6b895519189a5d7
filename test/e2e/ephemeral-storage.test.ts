import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { daemonAnswers } from "./support/daemon.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

/** Ways in which people lose /etc/letsencrypt, and what is said of each. */
const STORAGES = [
  {
    storage: "no mount at all",
    mounts: "!override [/run/docker.sock:/var/run/docker.sock]",
    isReadOnly: false,
    words: /is on the container's own file system \(\w+\): it is lost when the container is made anew/,
  },
  {
    storage: "a tmpfs",
    mounts: "[{ type: tmpfs, target: /etc/letsencrypt }]",
    isReadOnly: true,
    words: /is kept in memory \(tmpfs\): it is lost at the next restart/,
  },
  {
    storage: "an anonymous volume",
    mounts: "[/etc/letsencrypt]",
    isReadOnly: true,
    words: /is on the anonymous volume \w{12}: docker compose up -V, or down and up, gives the container an empty one/,
  },
];
const REMEDY =
  /what to do: .*[Ww]rite "- \.\/volumes\/certbot\/conf:\/etc\/letsencrypt" under volumes of the certbot service/;

function overrideFor(mounts: string, isReadOnly: boolean): string {
  return `services:\n  certbot:\n    read_only: ${isReadOnly}\n    volumes: ${mounts}\n`;
}

let stack: Stack;
// The only way out that the sidecar knows: whoever is asked for a connection to a CA has been tried.
let wayOut: Server;
let tried = 0;

beforeAll(async () => {
  stack = await createStack();
  await stack.up("nginx", "pebble");
  wayOut = createServer((socket) => {
    tried += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void wayOut.listen(0, "0.0.0.0", resolve));
  const { port } = wayOut.address() as AddressInfo;
  const gateway = await stack.inspect("nginx", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}");
  await rewriteEnv(stack, { HTTPS_PROXY: `http://${gateway}:${port}` });
});
afterAll(async () => {
  await stack?.remove();
  wayOut?.close();
});
tellOnFailure(() => stack);

describe("at a public CA", () => {
  beforeAll(() => rewriteEnv(stack, { CERTBOT_SERVER: "letsencrypt", CERTBOT_CA_BUNDLE: "" }));

  test.each(STORAGES)("with $storage nothing is ordered, and no CA is asked", async ({ mounts, isReadOnly, words }) => {
    tried = 0;
    await stack.layOver(overrideFor(mounts, isReadOnly));
    await stack.up("certbot");
    await daemonAnswers(stack);
    const update = await stack.certbot("update-cert");
    expect(update.code).toBe(1);
    expect(update.stderr).toMatch(words);
    expect(update.stderr).toContain("[STORAGE_EPHEMERAL]");
    expect(update.stderr).toMatch(REMEDY);
    expect((await stack.certbot("status")).stdout).toMatch(REMEDY);
    expect((await stack.certbot("healthcheck")).stdout).toMatch(words);
    const warned = (await stack.events()).filter(({ event }) => event === "storage.ephemeral");
    expect(warned).toMatchObject([{ level: "warn", message: expect.stringMatching(words) }]);
    expect(tried).toBe(0);
  });

  test("with the folder of the project the CA is asked", async () => {
    await stack.layOver("services: {}\n");
    await stack.up("certbot");
    await until("the CA has been asked", async () => (tried > 0 ? true : undefined));
    expect((await stack.events()).map(({ event }) => event)).not.toContain("storage.ephemeral");
  });
});

describe("at a private CA", () => {
  test("with a tmpfs it is told and goes on", async () => {
    await rewriteEnv(stack, {
      CERTBOT_SERVER: "https://pebble:14000/dir",
      CERTBOT_CA_BUNDLE: "/demo-ca.pem",
      HTTPS_PROXY: "",
    });
    const mounts = "[{ type: tmpfs, target: /etc/letsencrypt }, ./volumes/certbot/conf/demo-ca.pem:/demo-ca.pem:ro]";
    await stack.layOver(overrideFor(mounts, true));
    // Compose hands the host folder of a container on to the one that takes its place, where a tmpfs should be now.
    await stack.composeOk("rm", "-s", "-f", "certbot");
    await stack.up("certbot");
    const events = await until("a certificate is issued", async () => {
      const names = (await stack.events()).map(({ event }) => event);
      return names.includes("lineage.issued") ? names : undefined;
    });
    expect(events).toContain("storage.ephemeral");
    expect((await stack.certbot("status")).stdout).toMatch(REMEDY);
  });
});
