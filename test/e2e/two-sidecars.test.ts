import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";

// One tree with two daemons: the service's own container, and a second one on the same volumes.
let stack: Stack;
let first: string;
let second: string;

beforeAll(async () => {
  stack = await createStack();
  await stack.up();
  await servedByCa(stack);
  first = await stack.container("certbot");
  second = (await stack.composeOk("run", "-d", "--no-deps", "certbot")).trim();
});

afterAll(async () => {
  if (second) await docker("rm", "-f", second).catch(() => undefined);
  await stack?.remove();
});

test("the second daemon waits, and says for whom", async () => {
  const waiting = await until("the second daemon says that it waits", () => eventOf(second, "lock.awaited"));
  expect(waiting["holder"]).toBe(`the sidecar in container ${first.slice(0, 12)}`);
  expect(await eventOf(second, "lock.acquired")).toBeUndefined();
  // A hang-up is for the one who acts; the one who waits goes on waiting.
  await docker("kill", "-s", "HUP", second);
  await until("the second daemon has noticed the signal", () => eventOf(second, "signal.received"));
  expect(await docker("inspect", "-f", "{{.State.Running}} {{.RestartCount}}", second)).toBe("true 0");
});

test("commands in either container are done by the one daemon that acts, one after the other", async () => {
  const [orders, versions] = [await stack.orders(), await archived()];
  const both = [first, second].map((id) => stack.shell(`docker exec ${id} update-cert --force-renewal`));
  for (const { code, stderr } of await Promise.all(both)) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(await archived()).toBe(versions + 2);
  expect((await settledLeaf(stack)).serialNumber).toBe((await soundPair(stack)).serialNumber);
  expect(await stack.orders()).toBe(orders + 2);
  expect(await eventOf(second, "order.created")).toBeUndefined();
});

test("a command in a container of its own is done by the daemon that acts, too", async () => {
  const place = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "status", "certbot"];
  const { code, stdout } = await stack.compose(...place);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^daemon: next check .+; healthy$/m) });
});

test("the second takes over when the first is stopped, with no order of its own, and acts from then on", async () => {
  const orders = await stack.orders();
  await docker("stop", first);
  await until("the second daemon has the lock", () => eventOf(second, "lock.acquired"));
  await expectCheck(second);
  expect(await stack.orders()).toBe(orders);
  await expectRenewal(second);
  expect(await eventOf(second, "order.created")).toBeDefined();
});

test("the first, started again, waits in its turn and takes over when the second is killed", async () => {
  const startedAt = new Date();
  const sinceStart = (event: string) => eventOf(first, event, startedAt);
  await docker("start", first);
  const waiting = await until("the first daemon says that it waits", () => sinceStart("lock.awaited"));
  expect(waiting["holder"]).toBe(`the sidecar in container ${second.slice(0, 12)}`);
  await docker("kill", second);
  await until("the first daemon has the lock", () => sinceStart("lock.acquired"));
  await expectCheck(first);
  await expectRenewal(first);
});

async function expectCheck(id: string): Promise<void> {
  const { code, stdout, stderr } = await stack.shell(`docker exec ${id} update-cert`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^demo\.test: not due/m);
}

async function expectRenewal(id: string): Promise<void> {
  const before = await soundPair(stack);
  const { code, stderr } = await stack.shell(`docker exec ${id} update-cert --force-renewal`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const after = await soundPair(stack);
  expect(after.serialNumber).not.toBe(before.serialNumber);
  expect((await settledLeaf(stack)).serialNumber).toBe(after.serialNumber);
}

async function archived(): Promise<number> {
  return (await readdir(stack.conf("archive/demo.test"))).filter((name) => name.startsWith("privkey")).length;
}

/** The first log line of a container that tells an event. */
async function eventOf(id: string, event: string, since?: Date): Promise<Record<string, unknown> | undefined> {
  const options = since ? ["--since", since.toISOString()] : [];
  const lines = (await docker("logs", ...options, id)).split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line): Record<string, unknown> => JSON.parse(line)).find((line) => line["event"] === event);
}
