import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { startOwnEngine, type OwnEngine } from "../support/own-engine.ts";
import { poll } from "../support/poll.ts";
import { EngineLine } from "./support/engine-line.ts";
import { MOMENTS, NOT_SERVED, tryCell, type Fault, type When } from "./support/fault-cell.ts";
import { createStack, SIDECAR_IMAGE, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// The row of the fault matrix that takes an engine of its own: this machine's has other stacks. Two in one network take each other's
// rules away: scripts/test --long faults.
const MAY_START_ENGINE = process.env["CERT_SIDECAR_FULL"] && process.env["CERT_SIDECAR_OWN_NETWORK"];

let ca: Ca;
let engine: OwnEngine;
let stack: Stack;
let line: EngineLine;

const compose = `services:
  nginx:
    ports: !override ["127.0.0.1::443"]
  certbot:
    environment: { DOCKER_HOST: "unix:///engine/engine.sock" }
    volumes: ["./engine:/engine"]
    extra_hosts: ["pebble:host-gateway"]
`;

const RESTARTED: Fault = {
  name: "engine restarted",
  takesS: { before: 8, answered: 9 },
  apply: () => engine.restart(),
  lift: () => Promise.resolve(),
  isFelt: "perhaps",
  isHeard: true,
  isEnding: true,
  says: NOT_SERVED,
};

beforeAll(async () => {
  stack = await createStack({ env: { CERTBOT_SCHEDULE: "0 0 1 1 *" }, override: compose });
  ca = await startCa(stack.folder);
  engine = await startOwnEngine({ images: [IMAGES.nginx, SIDECAR_IMAGE] });
  line = new EngineLine(join(stack.folder, "engine/engine.sock"), engine.socketPath);
  await line.begin();
  await stack.up("nginx", "certbot");
});
afterAll(async () => {
  await stack?.remove();
  await line?.end();
  await engine?.dispose();
  await ca?.end();
});
tellOnFailure(() => stack);

const CELLS = Object.keys(MOMENTS).map((moment) => ({ moment: moment as When["moment"], isPatient: false }));

test.runIf(MAY_START_ENGINE).each(CELLS)(
  "engine restarted $moment: the sidecar and nginx come back, and what is newest is served with no further order",
  async (when) => {
    const tried = await tryCell({ stack, line, orders: ca.orders }, RESTARTED, when);
    console.info(`engine restarted ${when.moment}: ${tried.said}`);
    // It may end before the CA has heard of it.
    expect(tried.orders).toBeLessThanOrEqual(1);
  },
);

type Ca = { readonly orders: () => Promise<number>; readonly end: () => Promise<void> };

/** The demo CA of a stack's folder as a process: with its engine's end a container would forget its orders. It believes each name. */
async function startCa(folder: string): Promise<Ca> {
  const program = join(folder, "pebble");
  const container = await docker("create", IMAGES.pebble);
  await docker("cp", `${container}:/app`, program);
  await docker("rm", container);
  const config = join(folder, "volumes/pebble/config.json");
  await writeFile(config, (await readFile(config, "utf8")).replaceAll("/pebble/", `${folder}/volumes/pebble/`));
  const env = { PEBBLE_VA_ALWAYS_VALID: "1", PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "15" };
  const running: ChildProcess = spawn(program, ["-config", config], { env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const output of [running.stdout, running.stderr])
    output?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  await poll("the demo CA listens", () => {
    if (running.exitCode !== null) throw new Error(`the demo CA has ended: ${printed}`);
    return printed.includes("ACME directory available at");
  });
  return {
    orders: () => Promise.resolve((printed.match(/Added order /g) ?? []).length),
    end: async () => {
      const exited = once(running, "exit");
      if (running.kill()) await exited;
    },
  };
}
