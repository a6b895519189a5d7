import { realpath } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CADDY_CA, CADDY_SERVICE, FAULTY_CA, startCaddyService } from "./support/caddy-service.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { isDiskSettled, settledLeaf } from "./support/issued.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const FIRST_CA = "https://pebble:14000/dir";
const HOURS_OFF = 5;

// One stack, lived with in this order: the first CA is down, then it is there again, then its clock is wrong.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ env: { CERTBOT_FALLBACK_SERVER: CADDY_CA }, override: CADDY_SERVICE });
  await stack.up("nginx");
  await startCaddyService(stack, { clockOffMs: HOURS_OFF * 3600_000 });
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("with the first CA down, the second one issues after the third failure, by itself and to the same paths", async () => {
  await stack.compose("up", "-d", "--no-build", "certbot");
  await until("the daemon has tried", async () => (await failures()) >= 1 || undefined);
  for (const count of [2, 3]) {
    const update = await stack.certbot("update-cert");
    expect(update.code).toBe(1);
    expect(update.stderr).toContain("[ACME_UNREACHABLE]");
    expect(await failures()).toBe(count);
  }
  const leaf = await until("the second CA's certificate is served", async () => {
    const served = await settledLeaf(stack);
    return served.issuer.includes("Caddy Local Authority") ? served : undefined;
  });
  expect(leaf.subjectAltName).toBe("DNS:demo.test");
  const events = await stack.events();
  expect(events).toContainEqual(
    expect.objectContaining({ event: "ca.fallback-chosen", level: "warn", ca: CADDY_CA, instead: FIRST_CA }),
  );
  expect(events).toContainEqual(expect.objectContaining({ event: "lineage.issued", ca: CADDY_CA, version: 1 }));
  expect(await realpath(stack.conf("live/demo.test/cert.pem"))).toBe(stack.conf("archive/demo.test/cert1.pem"));
  const update = await stack.certbot("update-cert");
  expect(update).toMatchObject({ code: 0, stdout: expect.stringContaining("demo.test: not due") });
});

test("the next renewal goes to the first CA again", async () => {
  await stack.up("pebble");
  const update = await stack.certbot("update-cert", "--force-renewal");
  expect(update.stderr).toBe("");
  expect(update).toMatchObject({ code: 0, stdout: expect.stringContaining("demo.test: renewed") });
  expect(await realpath(stack.conf("live/demo.test/cert.pem"))).toBe(stack.conf("archive/demo.test/cert2.pem"));
  expect((await settledLeaf(stack)).issuer).toContain("Pebble Intermediate");
  expect(await stack.readConf("renewal/demo.test.conf")).toContain(`server = ${FIRST_CA}\n`);
  expect(await isDiskSettled(stack)).toBe(true);
});

test("a clock that is hours off the CA's is told in the log, by update-cert, by status and by the health check", async () => {
  await rewriteEnv(stack, { CERTBOT_SERVER: FAULTY_CA });
  await stack.compose("up", "-d", "--no-build", "certbot");
  await daemonAnswers(stack); // The health check is the daemon's, and only it tells what it has seen itself.
  const update = await stack.certbot("update-cert", "--force-renewal");
  const words = /this machine's clock is \d+ (hours|minutes) behind the CA's: set it right \(NTP\)/;
  expect(update.code).toBe(0);
  expect(update.stderr).toMatch(words);
  expect((await stack.certbot("status")).stdout).toMatch(words);
  expect(await stack.certbot("healthcheck")).toMatchObject({ code: 1, stdout: expect.stringMatching(words) });
  const [warned] = (await stack.events()).filter(({ event }) => event === "clock.wrong");
  expect(warned).toMatchObject({ level: "warn", remedy: "Set this machine's clock right (NTP)." });
  const offMs = new Date(String(warned?.["theirs"])).getTime() - new Date(String(warned?.["ours"])).getTime();
  expect(offMs / 3600_000).toBeCloseTo(HOURS_OFF, 0);
});

async function failures(): Promise<number> {
  return (await stack.events()).filter(({ event }) => event === "lineage.failed").length;
}
