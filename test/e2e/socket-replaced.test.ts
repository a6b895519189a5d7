import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

let stack: Stack;
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

/** Hands every connection at a path on to the real engine. */
async function engineAt(socketPath: string) {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    const real = connect("/var/run/docker.sock");
    client.pipe(real).pipe(client);
    client.on("error", () => real.destroy()).on("close", () => real.destroy());
    real.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(socketPath, resolve));
  return {
    /** Takes its file away, and cuts the connections. */
    end: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}

const count = async (name: string) => (await stack.events()).filter(({ event }) => event === name).length;

test("a sidecar whose engine's socket was replaced ends once, is started again with the new one, and goes on", async () => {
  const socketPath = join(await temporaryFolder(), "engine.sock");
  const old = await engineAt(socketPath);
  stack = await createStack({ env: { DOCKER_SOCKET: socketPath, CERTBOT_SCHEDULE: "0 0 1 1 *" } });
  await stack.up();
  await until("the sidecar is connected", async () => ((await count("docker.connected")) === 1 ? true : undefined));
  await old.end();
  const young = await engineAt(socketPath);
  const isBack = async () => ((await count("docker.connected")) === 2 ? true : undefined);
  await until("it is connected to the new one", isBack, 120_000);
  expect([await count("docker.socket-replaced"), await count("daemon.started")]).toEqual([1, 2]);
  expect((await stack.certbot("update-cert")).code).toBe(0);
  await young.end();
});
