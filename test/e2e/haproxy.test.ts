import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../support/seeded-random.ts";
import { startLoad } from "./support/keep-alive-load.ts";
import { isDiskServed } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const CLIENTS = 8;
// The CA's way to the proof leads through HAProxy, as a site's does.
const CA_FINDS_HAPROXY = `
services:
  pebble:
    links: !override ["haproxy:demo.test", "haproxy:www.demo.test"]
`;

let stack: Stack;
tellOnFailure(() => stack);
beforeAll(async () => {
  stack = await createStack({ example: "haproxy", override: CA_FINDS_HAPROXY });
  await stack.up();
});
afterAll(() => stack?.remove());

const served = () => until("HAProxy serves what is on disk", async () => (await isDiskServed(stack)) || undefined);
const startedAt = () => stack.inspect("haproxy", "{{.State.StartedAt}} {{.RestartCount}}");

test("the example's HAProxy starts with no certificate, and serves the first one without a restart", async () => {
  await served();
  expect(await startedAt()).toMatch(/ 0$/);
  const isWell = async () => ((await stack.certbot("status")).code === 0 ? true : undefined);
  await until("status says that all is well", isWell);
});

test("a renewal under load drops no connection, refuses none and restarts nothing", async () => {
  await served();
  const before = await startedAt();
  const load = startLoad({
    port: stack.httpsPort,
    name: "demo.test",
    clients: CLIENTS,
    longestPauseMs: 5,
    random: seededRandom("keep-alive load"),
  });
  const { code } = await stack.certbot("update-cert", "--force-renewal");
  const { failures, connections } = await load.stop();
  expect(code).toBe(0);
  expect(failures).toEqual([]);
  expect(connections).toBe(CLIENTS);
  expect(await isDiskServed(stack)).toBe(true);
  expect(await startedAt()).toBe(before);
});

test("a HAProxy that is restarted, or made anew, comes up with the newest certificate, whoever is away", async () => {
  await stack.composeOk("stop", "certbot");
  await stack.composeOk("restart", "haproxy");
  await served();
  await stack.composeOk("up", "-d", "--no-build", "--force-recreate", "haproxy");
  await served();
  expect(await stack.inspect("certbot", "{{.State.Status}}")).toBe("exited");
});
