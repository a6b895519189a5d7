import { readFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { nodePid } from "../test/e2e/support/host-process.ts";
import { createStack, until, type Stack } from "../test/e2e/support/stack.ts";

const LINEAGES = Number(process.argv[2] ?? 500);
const CHECKS = 5;
const FIRST_ISSUE_MS = 600_000;
const LOOK_EVERY_MS = 5000;
// USER_HZ, which is the same on all machines.
const TICKS_A_SECOND = 100;

const names = Array.from({ length: LINEAGES }, (_, number) => `n${number}.test`);
const stack = await createStack({
  env: { CERTBOT_DOMAIN: names.join(";"), CERTBOT_SCHEDULE: "0 0 1 1 *" },
  override: `services: { pebble: { environment: { PEBBLE_VA_ALWAYS_VALID: "1" } } }\n`,
  nonceRejectPercent: 0,
  authorizationReusePercent: 100,
});
try {
  await stack.up();
  // Pebble 2.10 may stop answering for good under so many orders at once (test/support/proxied-ca.ts): then run it again.
  await until("all are issued and served", async () => isWell(stack), FIRST_ISSUE_MS);
  console.log(`${LINEAGES} certificates; resident at most since the start: ${await mostMegabytes(stack)} MB`);
  const checks: string[] = [];
  for (let check = 0; check < CHECKS; check += 1) checks.push(await timed(stack, "update-cert"));
  console.log(`update-cert with nothing due: ${checks.join(", ")}`);
  console.log(`update-cert --force-renewal, all served: ${await timed(stack, "update-cert", "--force-renewal")}`);
  console.log(`resident at most since the start: ${await mostMegabytes(stack)} MB`);
  console.log(`load of the machine in the last minute: ${loadavg()[0]?.toFixed(1)}`);
} finally {
  await stack.remove();
}

/** Whether all is well; asked seldom, since each `status` is a look at all of them. */
async function isWell(of: Stack): Promise<true | undefined> {
  if ((await of.certbot("status")).code === 0) return true;
  await sleep(LOOK_EVERY_MS);
  return undefined;
}

/** How long a command takes, from inside of the container, and the daemon's processor time in it. Throws unless it succeeds. */
async function timed(of: Stack, ...command: readonly string[]): Promise<string> {
  const before = await cpuSeconds(of);
  const script = `s=$(date +%s%N); "$@" >/tmp/bench.log 2>&1 || { cat /tmp/bench.log; exit 1; }; e=$(date +%s%N); echo $(( (e - s) / 1000000 ))`;
  const { code, stdout } = await of.certbot("sh", "-c", script, "timed", ...command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stdout.slice(0, 2000)}`);
  return `${(Number(stdout) / 1000).toFixed(2)} s (${((await cpuSeconds(of)) - before).toFixed(2)} s of the processor)`;
}

/** What the daemon has had of the processor since its start. */
async function cpuSeconds(of: Stack): Promise<number> {
  const stat = await readFile(`/proc/${await nodePid(of)}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function mostMegabytes(of: Stack): Promise<number> {
  const status = await readFile(`/proc/${await nodePid(of)}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
