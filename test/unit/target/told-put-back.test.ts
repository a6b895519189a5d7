import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import type { TargetTools } from "../../../src/target/kind.ts";
import { restart } from "../../../src/target/restart.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { engineWith } from "../../support/command-engine.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { DAY, HOUR, last, reconcileStage } from "../../support/reconcile-stage.ts";

const BROKEN = { kind: "not-served", message: "no cipher for it", remedy: "Look.", isBroken: true } as const;
const OTHER = { kind: "not-served", message: "another one", remedy: "Look." } as const;

/** A database that reads `live/` when it starts, and whose health check has no judgement before so many seconds. */
async function databaseStage(healthyAfterMs: number) {
  const stage = await reconcileStage();
  const database = { restarts: 0, startedAt: new Date(0), serves: "", breaks: (_fingerprint: string) => false };
  const clock = { now: () => stage.now(), sleep: (ms: number, signal?: AbortSignal) => stage.sleep(ms, signal) };
  const container = () => {
    const isStarting = stage.now().getTime() < database.startedAt.getTime() + healthyAfterMs;
    const health = isStarting ? "starting" : "healthy";
    return readContainer(inspectedContainer({ id: "a", startedAt: database.startedAt, health }));
  };
  const tools: TargetTools = {
    ...createTargetTools({ engine: engineWith({}).engine, clock, random: () => 0.5, handshakeMs: 1000 }),
    look: async () => container(),
    restart: async () => {
      const pem = readFileSync(join(stage.root, "live/a.test/fullchain.pem"));
      const serves = new X509Certificate(pem).fingerprint256;
      Object.assign(database, { restarts: database.restarts + 1, startedAt: stage.now(), serves });
    },
    tlsCheck: async (_, { certificate: { fingerprint } }) => {
      if (database.breaks(database.serves)) return BROKEN;
      return database.serves === fingerprint ? { kind: "served" } : OTHER;
    },
  };
  const spot = { name: "db-1", service: "db", container: container(), wants: () => true };
  stage.targets = [restart.make({ ...spot, place: { ...spot, address: "127.0.0.1", port: 5432 } }, "", tools)];
  return { stage, database };
}

test.each([0, 31_000, 95_000])(
  "a version with which a restarted server breaks is put back, its health check judging after %d ms",
  async (healthyAfterMs) => {
    const { stage, database } = await databaseStage(healthyAfterMs);
    expect(isReached(await stage.run())).toBe(true);
    const before = database.serves;
    stage.pass(61 * DAY);
    database.breaks = (fingerprint) => fingerprint !== before;
    const restarts = database.restarts;
    await stage.run();
    expect(database.serves).toBe(before);
    expect(database.restarts - restarts).toBe(2);
  },
);

test("where it breaks with all, it isn't restarted for the sake of the one before again and again", async () => {
  const { stage, database } = await databaseStage(0);
  await stage.run();
  stage.pass(61 * DAY);
  database.breaks = () => true;
  const restarts = database.restarts;
  await stage.live(HOUR);
  // With the new one, with the one before, and back; then after 1 and 10 minutes.
  expect(database.restarts - restarts).toBe(5);
  await stage.live(DAY - HOUR);
  expect(database.restarts - restarts).toBeLessThan(5 + 24);
  database.breaks = () => false;
  expect(isReached(last(await stage.live(2 * HOUR)))).toBe(true);
  expect(stage.ca.orders).toHaveLength(2);
});
