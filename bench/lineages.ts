import { readFile } from "node:fs/promises";
import { nodePid } from "../test/e2e/support/host-process.ts";
import { createStack, until, type Stack } from "../test/e2e/support/stack.ts";

const LINEAGES = Number(process.argv[2] ?? 500);
const CHECKS = 5;
const FIRST_ISSUE_MS = 600_000;

const names = Array.from({ length: LINEAGES }, (_, number) => `n${number}.test`);
const stack = await createStack({
  env: { CERTBOT_DOMAIN: names.join(";"), CERTBOT_SCHEDULE: "0 0 1 1 *" },
  override: `services: { pebble: { environment: { PEBBLE_VA_ALWAYS_VALID: "1" } } }\n`,
  nonceRejectPercent: 0,
  authorizationReusePercent: 100,
});
try {
  await stack.up();
  await until("all are issued and served", async () => isWell(stack), FIRST_ISSUE_MS);
  console.log(`${LINEAGES} certificates; resident at most since the start: ${await mostMegabytes(stack)} MB`);
  const checks: number[] = [];
  for (let check = 0; check < CHECKS; check += 1) checks.push(await timed(stack, "update-cert"));
  console.log(`update-cert with nothing due: ${checks.join(", ")} s`);
  console.log(`update-cert --force-renewal, all served: ${await timed(stack, "update-cert", "--force-renewal")} s`);
  console.log(`resident at most since the start: ${await mostMegabytes(stack)} MB`);
} finally {
  await stack.remove();
}

async function isWell(of: Stack): Promise<true | undefined> {
  return (await of.certbot("status")).code === 0 ? true : undefined;
}

/** Seconds that a command takes. Throws unless it succeeds. */
async function timed(of: Stack, ...command: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const { code, stderr } = await of.certbot(...command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stderr.slice(0, 2000)}`);
  return Math.round((performance.now() - startedAt) / 10) / 100;
}

async function mostMegabytes(of: Stack): Promise<number> {
  const status = await readFile(`/proc/${await nodePid(of)}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
