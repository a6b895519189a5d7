import { afterAll, beforeAll, expect, test } from "vitest";
import { servedByCa } from "./support/issued.ts";
import { startLoad } from "./support/keep-alive-load.ts";
import { renewedToServedMs, tellSpans } from "./support/renewed-to-served.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const RELOADS = process.env["CERT_SIDECAR_FULL"] ? 100 : 20;

let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ authorizationReusePercent: 100 });
  await stack.up();
  await servedByCa(stack);
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("nginx is one that keeps keep-alive requests alive through a reload (1.27.4 or newer)", async () => {
  const { stderr } = await stack.compose("exec", "-T", "nginx", "nginx", "-v");
  const [, major, minor, patch] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(stderr) ?? [];
  expect(
    Number(major) * 1e6 + Number(minor) * 1e3 + Number(patch),
    `${stderr.trim()} is too old; name a newer image by NGINX_IMAGE, as scripts/provision does`,
  ).toBeGreaterThanOrEqual(1_027_004);
});

test(
  `${RELOADS} renewals under keep-alive load lose no request, though no client asks twice`,
  { timeout: RELOADS * 15_000 },
  async () => {
    const [workers, reloads] = [await workerIds(), await countReloads()];
    const random = seededRandom("keep-alive load");
    const load = startLoad({ port: stack.httpsPort, name: "demo.test", clients: 16, longestPauseMs: 20, random });
    const codes: number[] = [];
    try {
      while (codes.length < RELOADS) codes.push((await stack.certbot("update-cert", "--force-renewal")).code);
    } finally {
      await load.stop();
    }
    const { requests, failures, connections } = await load.stop();
    console.info(`${requests} requests on ${connections} connections, ${failures.length} failed`);
    expect(failures).toEqual([]);
    // Otherwise it was no keep-alive load: a reload ends each connection, and nothing else does for a thousand requests.
    expect(requests).toBeGreaterThan(connections * 10);
    expect(codes.filter((code) => code !== 0)).toEqual([]);
    // Docker's log is some moments behind the command that has ended.
    const spans = await until("each renewal is in the log", async () => {
      const told = await renewedToServedMs(stack);
      return told.length >= RELOADS ? told : undefined;
    });
    tellSpans(spans);
    expect(spans).toHaveLength(RELOADS);
    expect(await countReloads()).toBe(reloads + RELOADS);
    expect(await workerIds()).not.toEqual(workers);
  },
);

async function countReloads(): Promise<number> {
  return (await stack.events()).filter(({ event }) => event === "target.reloaded").length;
}

/** Process ids of nginx's workers that don't wait for their end: others after a reload. */
async function workerIds(): Promise<string[]> {
  const script =
    'for p in /proc/[0-9]*; do case $(tr "\\0" " " <"$p/cmdline") in *"worker process "*) echo "${p#/proc/}" ;; esac; done';
  return (await stack.composeOk("exec", "-T", "nginx", "sh", "-c", script)).trim().split("\n");
}
