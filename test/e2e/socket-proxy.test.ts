import { afterAll, beforeAll, expect, test } from "vitest";
import { isDiskSettled, servedByCa } from "./support/issued.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// What somebody would do who has taken over the sidecar; it ends with the answer's status.
const MAKE_A_CONTAINER = `
  fetch("http://socket-proxy:2375/containers/create", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ Image: "x", HostConfig: { Binds: ["/:/host"] } }),
  }).then((answer) => console.log(answer.status));`;

let stack: Stack;
beforeAll(async () => {
  // The schedule is far away, so that nothing but what is tested here can set something right.
  stack = await createStack({
    env: { CERTBOT_SCHEDULE: "0 0 1 1 *", CERTBOT_LOG_LEVEL: "debug" },
    example: "socket-proxy",
  });
  await stack.up();
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

const isWell = async () => ((await stack.certbot("status")).code === 0 ? true : undefined);
const startsHeard = async () => (await stack.events()).filter(({ trigger }) => trigger === "target-started").length;

test("the example gets the first certificate served, and a forced renewal, and its proxy refuses nothing of it", async () => {
  await servedByCa(stack);
  await until("status says that all is well", isWell);
  const renewal = await stack.certbot("update-cert", "--force-renewal");
  expect(renewal).toMatchObject({ code: 0, stderr: "" });
  expect(await isDiskSettled(stack)).toBe(true);
  expect(await stack.inspect("certbot", "{{range .Mounts}}{{.Source}} {{end}}")).not.toContain("docker.sock");
  expect(await stack.logs("socket-proxy")).not.toContain(" 403 ");
});

test("a start of nginx is heard through it", async () => {
  await until("status says that all is well", isWell);
  const before = await startsHeard();
  await stack.composeOk("up", "-d", "--no-build", "--force-recreate", "nginx");
  await until("the start is heard", async () => (await startsHeard()) > before || undefined);
  expect(await isDiskSettled(stack)).toBe(true);
});

test("no container can be made from the sidecar, and nobody else reaches the proxy", async () => {
  const made = await stack.certbot("node", "-e", MAKE_A_CONTAINER);
  expect(made).toMatchObject({ code: 0, stdout: "403\n" });
  expect(await stack.logs("socket-proxy")).toContain('"POST /containers/create HTTP/1.1"');
  const found = await stack.compose("exec", "-T", "nginx", "getent", "hosts", "socket-proxy");
  expect(found).toMatchObject({ code: 2, stdout: "" });
});
