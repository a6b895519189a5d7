import { rm } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { askedWhenToRenew } from "./support/idle.ts";
import { countCaRequests } from "./support/ca-requests.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { servedByCa } from "./support/issued.ts";
import { createStack, type Stack } from "./support/stack.ts";

test("a first issue with a known account takes at most 8 requests to the CA, and no HEAD once the daemon has asked", async () => {
  const stack = await startStack({ authorizationReusePercent: 0 });
  // Nothing of the certificate is left, so the daemon, which has an account and nonces by now, issues a first one.
  for (const path of ["live", "archive", "renewal"]) await rm(stack.conf(path), { recursive: true });
  const requests = await countCaRequests(stack, () => update(stack, /^demo\.test: issued for /m));
  expect(requests.total).toBeGreaterThanOrEqual(6); // RFC 8555 can't be done with fewer: the count has seen something.
  expect(requests.total).toBeLessThanOrEqual(8);
  expect(requests).toMatchObject({ heads: 0, directories: 0 });
});

test("a renewal with valid authorizations takes at most 5, and what is needed once is asked once for each process", async () => {
  const stack = await startStack({ authorizationReusePercent: 100 });
  const renew = () => update(stack, /^demo\.test: already proven/m, "--force-renewal");
  for (let renewal = 1; renewal <= 3; renewal += 1) {
    const requests = await countCaRequests(stack, renew);
    expect(requests.total).toBeGreaterThanOrEqual(4);
    expect(requests.total).toBeLessThanOrEqual(5);
    expect(requests).toMatchObject({ heads: 0, directories: 0 });
  }
  await askedWhenToRenew(stack);
  const idle = await countCaRequests(stack, async () => {
    await stack.composeOk("restart", "certbot");
    await daemonAnswers(stack);
    await update(stack, /^demo\.test: not due/m);
  });
  expect(idle).toEqual({ total: 0, heads: 0, directories: 0 });
  expect(await countCaRequests(stack, renew)).toMatchObject({ heads: 1, directories: 1 });
});

/** A stack whose CA rejects no nonce, and whose daemon has got its first certificate and is idle. */
async function startStack(options: { authorizationReusePercent: number }): Promise<Stack> {
  const stack = await createStack({ nonceRejectPercent: 0, ...options });
  onTestFinished(() => stack.remove());
  await stack.up();
  await servedByCa(stack);
  await askedWhenToRenew(stack);
  return stack;
}

async function update(stack: Stack, expected: RegExp, ...options: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await stack.certbot("update-cert", ...options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(expected);
}
