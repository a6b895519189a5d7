import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { pebbleFinds } from "../support/pebble-finds.ts";
import { setRenewalInfo } from "../support/pebble.ts";
import { untilIdle } from "./support/idle.ts";
import { servedByCa } from "./support/issued.ts";
import { diskLeaf, isDiskServed } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const EXPLANATION = "https://pebble.test/docs/mass-revocation";
const HOUR_MS = 3600_000;

// Where a test can move the window that the CA suggests.
const OVERRIDE = `services:
  pebble:
    ports: ["127.0.0.1::15000"]
`;

// One stack, lived with in this order: the window is in a month, then in a day, then it has passed.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ override: OVERRIDE });
  await stack.up();
  await servedByCa(stack);
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("a new certificate is renewed when the CA suggests, which the daemon asks by itself", async () => {
  const { window, renewAt = "" } = await until("the CA has been asked", async () => (await state()).renewalInfo);
  expect(new Date(renewAt).getTime()).toBeGreaterThanOrEqual(new Date(window.startAt).getTime());
  expect(new Date(renewAt).getTime()).toBeLessThan(new Date(window.endAt).getTime());
  const { stdout } = await stack.certbot("status");
  expect(stdout).toContain(`next: renewal ${inWords(renewAt)}, as the CA suggests\n`);
});

test("a window that moves is seen at the next poll, and `status` says when, and where the CA says why", async () => {
  const startAt = new Date(Date.now() + 24 * HOUR_MS);
  await suggest(startAt, new Date(startAt.getTime() + HOUR_MS));
  await letPollBeDue();
  const { renewAt = "" } = await until("the new window is known", async () => {
    const { renewalInfo } = await state();
    return renewalInfo?.explanationUrl === EXPLANATION ? renewalInfo : undefined;
  });
  expect(Math.floor((new Date(renewAt).getTime() - startAt.getTime()) / HOUR_MS)).toBe(0);
  const { stdout } = await stack.certbot("status");
  expect(stdout).toContain(
    `next: renewal ${inWords(renewAt)}, as the CA suggests\n  the CA says why: ${EXPLANATION}\n`,
  );
  const update = await stack.certbot("update-cert");
  expect(update.stdout).toContain(`demo.test: not due`);
  expect(update.stdout).toContain(`next renewal ${inWords(renewAt)} as the CA suggests: ${EXPLANATION}`);
});

test("a window that has passed makes the daemon renew at its next poll, and the order says what it replaces", async () => {
  const before = await diskLeaf(stack);
  await suggest(new Date(Date.now() - 2 * HOUR_MS), new Date(Date.now() - HOUR_MS));
  await letPollBeDue();
  await until("a renewed certificate is served", async () => {
    const after = await diskLeaf(stack);
    return after.serialNumber !== before.serialNumber && (await isDiskServed(stack)) ? true : undefined;
  });
  const renewed = (await stack.events()).filter(({ event }) => event === "lineage.renewed");
  expect(renewed).toMatchObject([{ lineage: "demo.test", version: 2, because: "renewal-info" }]);
  expect((await stack.logs("pebble")).includes("is a replacement of")).toBe(pebbleFinds(before));
});

type State = {
  readonly renewalInfo?: {
    readonly window: { readonly startAt: string; readonly endAt: string };
    readonly renewAt?: string;
    readonly explanationUrl?: string;
    readonly askAgainAt: string;
  };
};

async function state(): Promise<State> {
  return JSON.parse(await stack.readConf("sidecar/demo.test.json")) as State;
}

/** The CA wants to be asked again after hours; this is what they leave behind when they have passed. */
async function letPollBeDue(): Promise<void> {
  await untilIdle(stack); // who is about to write its notes would write over these
  const known = await state();
  const askAgainAt = new Date(Date.now() - 1000).toISOString();
  const passed = { ...known, renewalInfo: { ...known.renewalInfo, askAgainAt } };
  await writeFile(stack.conf("sidecar/demo.test.json"), JSON.stringify(passed));
  await docker("kill", "-s", "HUP", await stack.container("certbot"));
}

async function suggest(start: Date, end: Date): Promise<void> {
  const origin = `https://${(await stack.composeOk("port", "pebble", "15000")).trim()}`;
  const caPem = await readFile(join(stack.folder, "volumes/pebble/ca.pem"), "utf8");
  const answer = JSON.stringify({ suggestedWindow: { start, end }, explanationURL: EXPLANATION });
  await setRenewalInfo({ origin, caPem }, await stack.readConf("live/demo.test/cert.pem"), answer);
}

/** An instant as the commands print it. */
function inWords(iso: string): string {
  return `${iso.slice(0, 19).replace("T", " ")} UTC`;
}
