import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { CADDY_SERVICE, FAULTY_CA, ordersAskedFor, startCaddyService } from "./support/caddy-service.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const RESTARTS = process.env["CERT_SIDECAR_FULL"] ? 100 : 12;
// An order and its failed challenge take about a second here; a kill may come before, in, or after it.
const LONGEST_LIFE_MS = 1500;

// When docs/renewal.md allows the retries, at the earliest (10 % of jitter), in milliseconds after the first order.
const RETRIES_AT_MS = [1, 1 + 10, 1 + 10 + 100].map((minutes) => minutes * 60_000 * 0.9);

// What fails: a folder that nginx doesn't serve, so that the CA asks, gets 404, and the challenge is invalid; or the CA itself.
const TROUBLES = [
  { trouble: "a failing challenge", env: { CERTBOT_WEBROOT_PATH: "/tmp" }, requestsAnOrder: 1 },
  // Each order is asked for three times before it is given up.
  { trouble: "a CA that fails", env: { CERTBOT_SERVER: FAULTY_CA }, requestsAnOrder: 3 },
];

let stack: Stack;
let container: string;

tellOnFailure(() => stack);

describe.each(TROUBLES)("against $trouble", ({ env, requestsAnOrder }) => {
  const requests = async () => (requestsAnOrder === 1 ? stack.orders() : ordersAskedFor(stack));

  beforeAll(async () => {
    stack = await createStack({ env, override: CADDY_SERVICE });
    await stack.up("nginx", "pebble");
    await startCaddyService(stack, { isRefusingOrders: true });
    await until("nginx answers", async () =>
      (await fetch(`http://127.0.0.1:${stack.httpPort}/`)).ok ? true : undefined,
    );
  });
  afterAll(() => stack?.remove());

  test(
    `${RESTARTS} restarts at random moments cost no more orders than the retry plan allows`,
    { timeout: RESTARTS * 10_000 + 60_000 },
    async () => {
      const startedAt = Date.now();
      await stack.up("certbot");
      await until("the first order is placed", async () => ((await requests()) > 0 ? true : undefined));
      container = await stack.container("certbot");
      await restartAtRandom();

      const { lineage, next } = await until("the last start knows what it waits for", async () => {
        const [certificate] = await certificates();
        return certificate?.next.kind === "hold" ? certificate : undefined;
      });
      expect(lineage).toBe("demo.test");
      expect(next.because).toBe("missing");
      // In this order: an order that comes in between is allowed by then.
      const asked = await requests();
      const elapsedMs = Date.now() - startedAt;
      const allowed = requestsAnOrder * (1 + RETRIES_AT_MS.filter((ms) => ms <= elapsedMs).length);
      console.info(`${asked} requests for orders in ${Math.round(elapsedMs / 1000)} s; the plan allows ${allowed}`);
      expect(asked).toBeLessThanOrEqual(allowed);
    },
  );
});

async function restartAtRandom(): Promise<void> {
  const random = seededRandom("moments of the restarts");
  let life = await currentLife();
  for (let restart = 1; restart <= RESTARTS; restart += 1) {
    // A crash, after which Docker's restart policy acts; and an operator's hand, without which that policy would wait twice
    // as long after each crash.
    if (restart % 2 === 1) process.kill(life.pid, "SIGKILL");
    else await docker("restart", "-t", "0", container);
    life = await lifeAfter(life);
    await sleep(random() * LONGEST_LIFE_MS);
  }
}

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
