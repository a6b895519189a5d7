import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const RESTARTS = process.env["CERT_SIDECAR_FULL"] ? 60 : 20;
// An order and its failed challenge take about a second here; a kill may come before, in, or after it.
const LONGEST_LIFE_MS = 1500;

// When DESIGN section 6 allows the retries, at the earliest (10 % of jitter), in milliseconds after the first order.
const RETRIES_AT_MS = [1, 1 + 10, 1 + 10 + 100].map((minutes) => minutes * 60_000 * 0.9);

let stack: Stack;
let container: string;

beforeAll(async () => {
  // A folder that nginx doesn't serve: the CA asks, nginx answers 404, and the challenge is invalid.
  stack = await createStack({ env: { CERTBOT_WEBROOT_PATH: "/tmp" } });
  await stack.up("nginx", "pebble");
  await until("nginx answers", async () =>
    (await fetch(`http://127.0.0.1:${stack.httpPort}/`)).ok ? true : undefined,
  );
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test(
  `${RESTARTS} restarts at random moments against a failing challenge cost no more orders than the retry plan allows`,
  { timeout: RESTARTS * 10_000 + 60_000 },
  async () => {
    const random = seededRandom("moments of the restarts");
    const startedAt = Date.now();
    await stack.up("certbot");
    await until("the first order is placed", async () => ((await stack.orders()) > 0 ? true : undefined));
    container = await stack.container("certbot");
    let life = await currentLife();
    for (let restart = 1; restart <= RESTARTS; restart += 1) {
      // A crash, after which Docker's restart policy acts; and an operator's hand, without which that policy would wait twice
      // as long after each crash.
      if (restart % 2 === 1) process.kill(life.pid, "SIGKILL");
      else await docker("restart", "-t", "0", container);
      life = await lifeAfter(life);
      await sleep(random() * LONGEST_LIFE_MS);
    }

    const { lineage, next } = await until("the last start knows what it waits for", async () => {
      const [certificate] = await certificates();
      return certificate?.next.kind === "hold" ? certificate : undefined;
    });
    expect(lineage).toBe("demo.test");
    expect(next.because).toBe("missing");
    const elapsedMs = Date.now() - startedAt;
    const allowed = 1 + RETRIES_AT_MS.filter((ms) => ms <= elapsedMs).length;
    const orders = await stack.orders();
    console.info(`${orders} orders in ${Math.round(elapsedMs / 1000)} s; the plan allows ${allowed}`);
    expect(orders).toBeLessThanOrEqual(allowed);
  },
);

type Life = { readonly pid: number; readonly startedAt: string };

/** The process of the sidecar's container, as this machine numbers it. */
async function currentLife(): Promise<Life> {
  const [pid, startedAt = ""] = (await docker("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", container)).split(
    " ",
  );
  return { pid: Number(pid), startedAt };
}

/** The one that follows; by the restart policy, where nobody else started it. */
function lifeAfter(before: Life): Promise<Life> {
  return until("the sidecar is started again", async () => {
    const life = await currentLife();
    return life.pid > 0 && life.startedAt !== before.startedAt ? life : undefined;
  });
}

type CertificateStatus = { lineage: string; next: { kind: string; because?: string } };

async function certificates(): Promise<readonly CertificateStatus[]> {
  const { stdout } = await stack.certbot("status", "--json");
  return (JSON.parse(stdout) as { certificates: CertificateStatus[] }).certificates;
}
