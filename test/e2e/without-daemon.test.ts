import { afterAll, beforeAll, expect, test } from "vitest";
import { daemonAnswers } from "./support/daemon.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { reloads } from "./support/reloads.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, type Outcome, type Stack } from "./support/stack.ts";

// The certbot service is never up: each command is a container of its own, and does its work in its own process.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
  await stack.up("nginx", "pebble");
});

afterAll(() => stack?.remove());

test("update-cert gets the first certificate and has nginx serve it", async () => {
  const { code, stdout, stderr } = await inPlace(["update-cert"]);
  expect({ code, stdout, stderr: failures(stderr) }).toMatchObject({ code: 0, stderr: [] });
  expect(stdout).toMatch(/^demo\.test: issued for demo\.test, valid until /m);
  expect((await settledLeaf(stack)).fingerprint256).toBe((await soundPair(stack)).fingerprint256);
});

test("update-cert --force-renewal has the new certificate served when it ends", async () => {
  const before = await servedByCa(stack);
  const reloadsBefore = await reloads(stack);
  const { code, stdout } = await inPlace(["update-cert", "--force-renewal"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^nginx-1: reloaded$/m);
  const served = await settledLeaf(stack);
  expect(served.fingerprint256).not.toBe(before.fingerprint256);
  expect(served.fingerprint256).toBe((await soundPair(stack)).fingerprint256);
  expect(await reloads(stack)).toBe(reloadsBefore + 1);
});

test("certificates and status look for themselves, and healthcheck says that there is no daemon", async () => {
  expect(await inPlace(["certificates"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/\bVersion: 2,/) });
  const { code, stdout } = await inPlace(["status"]);
  expect(code).toBe(0);
  expect(stdout).toContain("nginx-1: serves this version\n");
  expect(stdout).toContain("daemon: not running\n");
  expect(await inPlace(["healthcheck"])).toMatchObject({ code: 1, stdout: "" });
});

test("with wrong settings every command ends with 2 and names all mistakes after what it could do, and no order goes out", async () => {
  const orders = await stack.orders();
  const wrong = ["-e", "CERTBOT_DOMAIN=your_domain.com", "-e", "CERTBOT_EMIAL=admin@demo.test"];
  for (const command of ["update-cert", "certificates", "status"]) {
    const { code, stdout, stderr } = await inPlace([command], wrong);
    expect({ command, code, stdout }).toEqual({ command, code: 2, stdout: expect.stringContaining("demo.test") });
    expect(stderr).toContain("CERTBOT_EMIAL: is no setting; did you mean CERTBOT_EMAIL?");
    expect(stderr).toContain('CERTBOT_DOMAIN="your_domain.com": is a placeholder');
    expect(stderr).toMatch(/what to do: .*\.env/);
  }
  expect(await stack.orders()).toBe(orders);
});

test("the daemon takes over from there: it knows the certificate, and orders nothing", async () => {
  const [orders, served] = [await stack.orders(), await settledLeaf(stack)];
  await stack.up("certbot");
  await daemonAnswers(stack);
  const { code, stdout } = await stack.certbot("update-cert");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^demo\.test: not due, /m);
  expect((await settledLeaf(stack)).fingerprint256).toBe(served.fingerprint256);
  expect(await stack.orders()).toBe(orders);
});

function inPlace([command = "", ...args]: readonly string[], options: readonly string[] = []): Promise<Outcome> {
  return stack.compose("run", "--rm", "--no-deps", "-T", ...options, "--entrypoint", command, "certbot", ...args);
}

/** What our program has printed as a failure; compose itself writes its progress to stderr, too. */
function failures(stderr: string): string[] {
  return stderr.split("\n").filter((line) => /\[[A-Z_]+\]$|what to do:/.test(line));
}
