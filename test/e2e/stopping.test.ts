import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { untilIdle } from "./support/idle.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const STOPS_WITHIN_MS = 2000;

// One stack, lived with in this order. No scheduled check comes in between: what acts here is what the test has asked for.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ env: { CERTBOT_SCHEDULE: "0 0 1 1 *" } });
  await stack.up();
  await servedByCa(stack);
});

afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("SIGHUP checks now: a certificate that has gone from the disk is there again and served", async () => {
  const before = await settledLeaf(stack);
  await removeLineage();
  await stack.composeOk("kill", "-s", "HUP", "certbot");
  const after = await until("another certificate is served", async () => {
    const leaf = await settledLeaf(stack);
    return leaf.serialNumber === before.serialNumber ? undefined : leaf;
  });
  expect(after.serialNumber).toBe((await soundPair(stack)).serialNumber);
});

// All that `docker kill` can send and a process can catch, save those that tell a program of its own fault.
const MEANINGLESS = "USR1 USR2 QUIT PIPE ALRM STKFLT TSTP TTIN TTOU XCPU XFSZ VTALRM PROF IO PWR WINCH URG CHLD CONT";

test("no other signal ends the daemon, stops it, or opens Node's inspector", async () => {
  const state = () => stack.inspect("certbot", "{{.State.Status}} {{.State.StartedAt}}");
  const before = await state();
  for (const signal of MEANINGLESS.split(" ")) {
    await docker("kill", "-s", signal, await stack.container("certbot"));
    const { code } = await stack.certbot("healthcheck");
    expect({ signal, code, state: await state() }).toEqual({ signal, code: 0, state: before });
  }
  const listening = await stack.certbot("cat", "/proc/net/tcp", "/proc/net/tcp6");
  expect(listening.stdout).toContain("local_address");
  expect(listening.stdout).not.toContain(`:${(9229).toString(16).toUpperCase()} `);
});

test("stop ends the idle daemon within two seconds, and start goes on with no order", async () => {
  await expectNothingDue();
  const orders = await stack.orders();
  expect(await stopCertbot()).toEqual({ exitCode: "0", isInTime: true });
  await startCertbot();
  await expectNothingDue();
  expect(await stack.orders()).toBe(orders);
});

test("stop ends the daemon within two seconds while the CA doesn't answer; the one who waits is told, the next start goes on", async () => {
  const [before, orders] = [await soundPair(stack), await stack.orders()];
  await docker("pause", await stack.container("pebble"));
  try {
    const command = stack.certbot("update-cert", "--force-renewal");
    await untilUnderWay();
    expect(await stopCertbot()).toEqual({ exitCode: "0", isInTime: true });
    const { code, stderr } = await command;
    expect(code).toBe(1);
    expect(stderr).toMatch(/The daemon is stopping \[DAEMON_STOPPING\]\n {2}what to do: /);
  } finally {
    await docker("unpause", await stack.container("pebble"));
  }
  expect((await soundPair(stack)).serialNumber).toBe(before.serialNumber);
  await startCertbot();
  await expectNothingDue();
  expect(await stack.orders()).toBe(orders);
  await expectRenewal();
});

test("stop within two seconds in the middle of a challenge takes the proof away, and the next start goes on", async () => {
  await untilIdle(stack);
  const before = await soundPair(stack);
  // The proof is in place, and nobody gets to see it.
  await docker("pause", await stack.container("nginx"));
  try {
    const command = stack.certbot("update-cert", "--force-renewal");
    const endedTooSoon = command.then((ended) => {
      throw new Error(`the command ended before a proof was there: ${JSON.stringify(ended)}`);
    });
    const isShown = until("a proof is in the webroot", async () => ((await proofs()).length > 0 ? true : undefined));
    await Promise.race([isShown, endedTooSoon]);
    endedTooSoon.catch(() => undefined); // it ends with the daemon
    expect(await stopCertbot()).toEqual({ exitCode: "0", isInTime: true });
    expect(await command).toMatchObject({ code: 1, stderr: expect.stringContaining("DAEMON_STOPPING") });
    expect(await proofs()).toEqual([]);
  } finally {
    await docker("unpause", await stack.container("nginx"));
  }
  expect((await soundPair(stack)).serialNumber).toBe(before.serialNumber);
  expect((await settledLeaf(stack)).serialNumber).toBe(before.serialNumber);
  await startCertbot();
  await expectNothingDue();
  await expectRenewal();
});

test("a first issue that stop has cut short counts as a try: the next start waits, and update-cert doesn't", async () => {
  await docker("pause", await stack.container("pebble"));
  try {
    await removeLineage();
    await stack.composeOk("kill", "-s", "HUP", "certbot");
    await untilUnderWay();
    expect(await stopCertbot()).toEqual({ exitCode: "0", isInTime: true });
  } finally {
    await docker("unpause", await stack.container("pebble"));
  }
  const orders = await stack.orders();
  await startCertbot();
  const { stdout } = await until("the first check after the start is done", async () => {
    const status = await stack.certbot("status");
    return status.stdout.includes("unhealthy") ? status : undefined;
  });
  expect(stdout).toMatch(/next: another try .+ UTC \(missing\)\n/);
  expect(await stack.orders()).toBe(orders);
  if (process.env["CERT_SIDECAR_FULL"]) {
    await until("the daemon has tried again by itself", () => soundPair(stack), 150_000);
  }
  expect(await stack.certbot("update-cert")).toMatchObject({ code: 0, stderr: "" });
  expect((await settledLeaf(stack)).serialNumber).toBe((await soundPair(stack)).serialNumber);
});

/** Ends the container as `docker compose stop` does, and says how that went. */
async function stopCertbot(): Promise<{ exitCode: string; isInTime: boolean }> {
  const since = new Date().toISOString();
  await stack.composeOk("stop", "certbot");
  const exitCode = await stack.inspect("certbot", "{{.State.ExitCode}}");
  // From the signal to the end, as the engine tells them: how long compose itself takes is not the sidecar's doing.
  const filters = ["kill", "die"].flatMap((event) => ["--filter", `event=${event}`]);
  const of = ["--filter", `container=${await stack.container("certbot")}`, "--format", "{{.TimeNano}}"];
  const told = await docker("events", "--since", since, "--until", new Date().toISOString(), ...filters, ...of);
  const [killedAt = Number.NaN, diedAt = Number.NaN, ...more] = told.split("\n").map((nano) => Number(nano) / 1e6);
  expect(more).toEqual([]);
  return { exitCode, isInTime: diedAt - killedAt < STOPS_WITHIN_MS };
}

async function startCertbot(): Promise<void> {
  await stack.composeOk("start", "certbot");
  await daemonAnswers(stack);
}

async function expectNothingDue(): Promise<void> {
  const { code, stdout, stderr } = await stack.certbot("update-cert");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^demo\.test: not due/m);
}

async function expectRenewal(): Promise<void> {
  const before = await soundPair(stack);
  expect(await stack.certbot("update-cert", "--force-renewal")).toMatchObject({ code: 0, stderr: "" });
  const after = await soundPair(stack);
  expect(after.serialNumber).not.toBe(before.serialNumber);
  expect((await settledLeaf(stack)).serialNumber).toBe(after.serialNumber);
}

/** Waits until a try is written down, which comes right before the CA hears of it. */
async function untilUnderWay(): Promise<void> {
  await until("a try is under way", async () => {
    const { issue } = JSON.parse(await stack.readConf("sidecar/demo.test.json")) as { issue: { startedAt?: string } };
    return issue.startedAt;
  });
}

async function removeLineage(): Promise<void> {
  for (const folder of ["live", "archive", "renewal"]) {
    const entries = await readdir(stack.conf(folder));
    await Promise.all(entries.map((entry) => rm(stack.conf(folder, entry), { recursive: true })));
  }
}

async function proofs(): Promise<string[]> {
  const entries = await readdir(join(stack.folder, "volumes/certbot/www"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}
