import { X509Certificate } from "node:crypto";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { isReached } from "../../../src/reconcile/index.ts";
import { deploys, reconcileStage } from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const copy = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });

/** nginx serves version 2, and was seen to; beside the tree lies a copy of it from when it served version 1. */
async function stageWithBackup() {
  const stage = await reconcileStage();
  await stage.run();
  const backup = `${stage.root}-yesterday`;
  await copy(stage.root, backup);
  expect(deploys(await stage.command({ isForced: true }))).toEqual(["nginx-1 a.test deployed"]);
  expect([stage.nginx.served(), stage.told("target.served").length]).toEqual([["a.test=a.test/2"], 2]);
  return { stage, backup, orders: stage.ca.orders.length };
}

test("a container that was made anew from yesterday's volume is seen at the next check, whatever was seen before", async () => {
  const { stage, backup, orders } = await stageWithBackup();
  const old = new TestTarget(backup);
  old.restart();
  stage.targets = [old];
  const report = await stage.run();
  expect(report.deploys).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } }]);
  expect(isReached(report)).toBe(false);
  // With today's volume it starts with today's version.
  stage.targets = [stage.nginx];
  stage.nginx.restart();
  expect(deploys(await stage.run({ trigger: "target-started" }))).toEqual(["nginx-1 a.test served"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(orders);
});

test.each(["schedule", "target-started"] as const)(
  "one that started with yesterday's files, and reads today's now, is brought up to date (%s)",
  async (trigger) => {
    const { stage, backup, orders } = await stageWithBackup();
    stage.nginx.restart(backup);
    expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
    expect(deploys(await stage.run({ trigger }))).toEqual(["nginx-1 a.test deployed"]);
    expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
    expect(stage.ca.orders).toHaveLength(orders);
  },
);

const PAIR = ["live/a.test/fullchain.pem", "live/a.test/privkey.pem"];

// What its owner puts in the place of `live` is what he wants shown, as long as it is sound.
test.each([
  { what: "the whole tree", parts: ["."], serves: "yesterday" },
  { what: "live and archive", parts: ["live", "archive"], serves: "yesterday" },
  { what: "live alone", parts: ["live"], serves: "yesterday" },
  { what: "a pair, written by way of live's links", parts: PAIR, isWritten: true, serves: "yesterday" },
  { what: "a chain without its key", parts: PAIR.slice(0, 1), isWritten: true, serves: "yesterday" },
  { what: "a pair in the place of live's links", parts: PAIR, serves: "today" },
])("$what, put back from a backup: nginx serves $serves's version after the next check, with no order", async (one) => {
  const { stage, backup, orders } = await stageWithBackup();
  const leaves = { yesterday: await leafIn(backup), today: await leafIn(stage.root) };
  for (const part of one.parts) {
    const [from, to] = [join(backup, part), join(stage.root, part)];
    if (!one.isWritten) await rm(to, { recursive: true });
    await (from.endsWith(".pem") ? writeFile(to, await readFile(from)) : copy(from, to));
  }
  const report = await stage.run();
  expect(isReached(report)).toBe(true);
  const fingerprint = one.serves === "today" ? leaves.today : leaves.yesterday;
  expect(await leafIn(stage.root)).toBe(fingerprint);
  const identifiers = [parseIdentifier("a.test")];
  expect(await stage.nginx.tlsCheck({ lineage: "a.test", identifiers, fingerprint })).toEqual({ kind: "served" });
  expect(stage.ca.orders).toHaveLength(orders);
});

async function leafIn(root: string): Promise<string> {
  return new X509Certificate(await readFile(join(root, "live/a.test/fullchain.pem"))).fingerprint256;
}
