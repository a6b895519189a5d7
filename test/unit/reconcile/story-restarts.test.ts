import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isReached, mendTree } from "../../../src/reconcile/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { isServable, putCertbotLineage } from "../../support/lineage-tree.ts";
import { DAY, HOUR, MINUTE, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const RESTARTS = 50;
const LINEAGES = ["a.test", "b.test"];

// The plan's steps, less the jitter.
const SHORTEST_GAPS_MS = [MINUTE, 10 * MINUTE, 100 * MINUTE, DAY].map((ms) => ms * 0.9);

/** Fails at each order that comes sooner after a fruitless one than the plan allows. */
function watchOrders(stage: ReconcileStage): string[] {
  const tooSoon: string[] = [];
  const before = new Map<string, { shown: string; atMs: number; fruitless: number }>();
  stage.ca.answer = ({ lineage, at }) => {
    const shown = readlinkSync(join(stage.root, "live", lineage, "cert.pem"));
    const last = before.get(lineage);
    const fruitless = last?.shown === shown ? last.fruitless + 1 : 0;
    const gapMs = at.getTime() - (last?.atMs ?? 0);
    const shortestMs = SHORTEST_GAPS_MS[Math.min(fruitless, SHORTEST_GAPS_MS.length) - 1] ?? 0;
    if (gapMs < shortestMs) tooSoon.push(`${lineage} after ${gapMs} ms, ${fruitless} without a new version`);
    before.set(lineage, { shown, atMs: at.getTime(), fruitless });
  };
  return tooSoon;
}

/** One process: it mends, checks, and is killed or stopped at some call on the disk, if it comes that far. */
async function lifeOfOne(stage: ReconcileStage, { calls, isKilled }: { calls: number; isKilled: boolean }) {
  const stop = new AbortController();
  let left = calls;
  stage.onDisk = (call) => {
    left -= 1;
    if (left > 0 || call.startsWith("file.close")) return;
    if (isKilled) throw new Error("dead");
    stop.abort(new Error("stopping"));
  };
  await mendTree(stage.parts(), stage.log);
  const report = await stage.run({ trigger: "start" }, stop.signal).catch((thrown: unknown) => {
    if (!stop.signal.aborted) throw thrown;
  });
  stage.onDisk = () => undefined;
  return { report, hasDied: left <= 0 };
}

test(`${RESTARTS} deaths and stops at random moments lose no pair, and cost no order beyond the plan`, async () => {
  const random = seededRandom("restarts");
  const draw = <Item>(items: readonly [Item, ...Item[]]) => items[Math.floor(random() * items.length)] ?? items[0];
  const stage = await reconcileStage({ domains: LINEAGES.join(";"), random });
  const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + 90 * DAY) };
  await putCertbotLineage(stage.root, "a.test", issueForTest({ names: ["a.test"], ...life }));
  await stage.run();
  stage.pass(61 * DAY);
  const tooSoon = watchOrders(stage);
  let deaths = 0;
  let isConverted = false;
  while (deaths < RESTARTS) {
    const calls = 1 + Math.floor(random() * 500);
    const { report, hasDied } = await lifeOfOne(stage, { calls, isKilled: draw([true, false]) });
    if (hasDied) deaths += 1;
    // An adopted folder is away for one moment, once, while it is converted; ours never is.
    if (!isConverted) await mendTree(stage.parts(), stage.log);
    for (const lineage of LINEAGES) expect(await isServable(stage.root, lineage)).toBe(true);
    isConverted ||= stage.told("lineage.converted").length > 0;
    expect(tooSoon).toEqual([]);
    const isDone = report && !hasDied && isReached(report);
    stage.pass(isDone ? 61 * DAY : draw([0, MINUTE, 12 * MINUTE, 2 * HOUR, DAY]));
  }
  stage.pass(2 * DAY);
  await mendTree(stage.parts(), stage.log);
  expect(isReached(await stage.run({ trigger: "start" }))).toBe(true);
  for (const lineage of LINEAGES) expect(stage.nginx.served().join(" ")).toContain(`${lineage}=${lineage}/`);
  expect(stage.ca.orders.length).toBeGreaterThan(5);
});
