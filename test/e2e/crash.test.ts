import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { nodePid } from "./support/host-process.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { servedLeaf } from "./support/served.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const KILLS = process.env["CERT_SIDECAR_FULL"] ? 50 : 10;

// What a forced renewal says on its way. A kill comes a random moment after a random one of them, so that no part of the
// renewal is left out because another one takes longer.
const LANDMARKS = ["", "order placed", "has seen the proof", "is signing", "is on disk", "configuration tested"];
const LONGEST_DELAY_MS = 300;
// From order to file it takes some milliseconds: only a kill that follows at once can hit them.
const SHORTEST_DELAYS = 0.5;

let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
  await stack.up();
  await servedByCa(stack);
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test(
  `after each of ${KILLS} SIGKILLs in the middle of a renewal the pair on disk is sound, and the sidecar comes back and goes on`,
  { timeout: KILLS * 30_000 },
  async () => {
    const random = seededRandom("moments of the SIGKILLs");
    let cutOff = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const landmark = LANDMARKS[Math.floor(random() * LANDMARKS.length)] ?? "";
      const delayMs = random() < SHORTEST_DELAYS ? random() * 20 : random() * LONGEST_DELAY_MS;
      const { code, said } = await killRenewal(landmark, delayMs);
      if (code !== 0) cutOff += 1;
      // A command that was cut off must not look like one that has done its work.
      expect({ code, said, isTrue: code !== 0 || said.includes("nginx-1 serves it") }).toMatchObject({ isTrue: true });
      await soundPair(stack);
      // The restart policy waits twice as long after each crash; an operator's restart ends that.
      if (kill % 4 === 0) await stack.composeOk("restart", "-t", "2", "certbot");
      if (kill % 3 === 0) await restartNginx();

      expect(await stack.certbot("update-cert")).toMatchObject({ code: 0, stderr: "" });
      expect((await settledLeaf(stack)).fingerprint256).toBe((await soundPair(stack)).fingerprint256);
    }
    console.info(`${cutOff} of ${KILLS} renewals were cut off`);
    expect(cutOff).toBeGreaterThan(0);
  },
);

test("after all that a forced renewal goes through as ever", async () => {
  const before = await servedLeaf(stack);
  expect(await stack.certbot("update-cert", "--force-renewal")).toMatchObject({ code: 0 });
  const served = await settledLeaf(stack);
  expect(served.fingerprint256).not.toBe(before.fingerprint256);
  expect(served.fingerprint256).toBe((await soundPair(stack)).fingerprint256);
});

test("with the sidecar stopped nginx restarts, and with it removed nginx is made anew: both serve the last certificate", async () => {
  const last = (await soundPair(stack)).fingerprint256;
  await stack.composeOk("stop", "certbot");
  await restartNginx();
  expect((await servedLeaf(stack)).fingerprint256).toBe(last);

  await stack.composeOk("rm", "-f", "certbot");
  const { code, stderr } = await stack.plainCompose("up", "-d", "--force-recreate");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const served = await until("nginx serves HTTPS", () => servedLeaf(stack));
  expect(served.fingerprint256).toBe(last);
});

type KilledRenewal = { readonly code: unknown; readonly said: string };

/** Forces a renewal and kills the sidecar some time after it has said `landmark`; waits for the restart policy. */
async function killRenewal(landmark: string, delayMs: number): Promise<KilledRenewal> {
  const container = await stack.container("certbot");
  const pid = await nodePid(stack);
  const startedAt = await stack.inspect("certbot", "{{.State.StartedAt}}");
  const client = spawn("docker", ["exec", container, "update-cert", "--force-renewal"], { stdio: "pipe" });
  let said = "";
  client.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = once(client, "close");
  let code: unknown;
  void ended.then(([exit]: unknown[]) => (code = exit));
  await until(`the renewal says "${landmark}"`, async () =>
    said.includes(landmark) || code !== undefined ? true : undefined,
  );
  await sleep(delayMs);
  process.kill(pid, "SIGKILL");
  await ended;
  await until("the restart policy brings the sidecar back", async () => {
    const state = await docker("inspect", "-f", "{{.State.Status}} {{.State.StartedAt}}", container);
    return state.startsWith("running") && !state.endsWith(startedAt) ? true : undefined;
  });
  return { code, said };
}

// A sidecar that comes back publishes what was complete when it died: the version on disk may change meanwhile.
async function restartNginx(): Promise<void> {
  await stack.composeOk("restart", "-t", "2", "nginx");
  await until("nginx serves what is on disk", async () => {
    const { fingerprint256 } = await servedLeaf(stack);
    return fingerprint256 === (await soundPair(stack)).fingerprint256 ? true : undefined;
  });
}
