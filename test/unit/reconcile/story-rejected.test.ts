import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inspect, isReached } from "../../../src/reconcile/index.ts";
import { isServable } from "../../support/lineage-tree.ts";
import {
  DAY,
  deploys,
  HOUR,
  last,
  LETS_ENCRYPT,
  MINUTE,
  outcomes,
  PRODUCTION,
  reconcileStage,
  type ReconcileStage,
  STAGING,
} from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const A_DAY = 24 * 60;

/** A certificate that is served, and has become due. */
async function dueStage(domains = "a.test") {
  const stage = await reconcileStage({ domains });
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return stage;
}

/** Minutes between the tries that ended with a version put back. */
function triesOf(stage: ReconcileStage, first = 0): number[] {
  const times = stage.log.lines.filter(({ event }) => event === "lineage.restored").slice(first);
  const next = times.map(({ fields }) => new Date(fields["nextAt"] as Date).getTime());
  return next.slice(1).map((at, index) => Math.round((at - (next[index] ?? 0)) / MINUTE));
}

test("a version that the target rejects is put back and shown again ever more rarely, and is the only order in a week", async () => {
  const stage = await dueStage();
  stage.policy = { ...stage.policy, directoryUrl: LETS_ENCRYPT };
  stage.nginx.refuses = (_, version) => version > 1;
  const reports = await stage.live(7 * DAY);
  expect(stage.ca.orders).toHaveLength(2);
  expect(triesOf(stage)).toEqual([10, 100, A_DAY, A_DAY, A_DAY, A_DAY, A_DAY, A_DAY, A_DAY]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  // Put back on disk too: a server that starts now must come up.
  await stage.nginx.check();
  expect(reports.every((report) => !isReached(report))).toBe(true);
  expect(outcomes(last(reports))).toEqual(["a.test held TARGET_CERTIFICATE_REJECTED"]);
  stage.nginx.refuses = () => false;
  expect(isReached(last(await stage.live(DAY)))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("update-cert shows a version that was put back at once, and changed settings do once; a forced renewal orders", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.live(3 * HOUR);
  const before = stage.nginx.checks;
  expect(outcomes(await stage.command({ isRehearsal: true }))).toEqual(["a.test rehearsed"]);
  stage.ca.orders.length = 2;
  await stage.run();
  expect(stage.nginx.checks).toBe(before);
  expect(deploys(await stage.command())).toEqual(["nginx-1 a.test failed"]);
  stage.policy = { ...stage.policy, settingsDigest: "other" };
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test failed"]);
  expect(outcomes(await stage.run())).toEqual(["a.test held TARGET_CERTIFICATE_REJECTED"]);
  stage.nginx.refuses = (_, version) => version === 2;
  const { certificates } = await inspect(stage.parts(), { signal: new AbortController().signal, withTargets: false });
  expect(certificates[0]?.decision).toMatchObject({ kind: "hold", because: "put-back" });
  expect(stage.ca.orders).toHaveLength(2);
  expect(isReached(await stage.command({ isForced: true }))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3"]);
  expect(stage.ca.orders).toHaveLength(3);
});

test("a renewal that was forced and refused is shown again too, though the version before is not due", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.command({ isForced: true });
  stage.nginx.refuses = () => false;
  stage.pass(MINUTE);
  const report = await stage.run();
  expect(outcomes(report)).toEqual(["a.test renewed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.told("lineage.shown")).toMatchObject([{ lineage: "a.test", version: 2 }]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a version that was put back is ordered anew when it is due itself, when other names are wanted and when it is a test's", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.run();
  stage.set("a.test,b.test");
  await stage.run();
  expect(stage.ca.orders.map(({ names }) => names)).toEqual(["a.test", "a.test", "a.test,b.test"]);
  stage.pass(61 * DAY);
  await stage.run();
  expect(stage.ca.orders).toHaveLength(4);
  const tried = await reconcileStage();
  await tried.run();
  tried.set("a.test", { directoryUrl: STAGING, isStaging: (url) => url !== LETS_ENCRYPT });
  tried.nginx.refuses = (_, version) => version === 2;
  await tried.command({ isForced: true });
  tried.set("a.test", { directoryUrl: LETS_ENCRYPT });
  await tried.run();
  expect(tried.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([PRODUCTION, STAGING, LETS_ENCRYPT]);
});

test("a version that was put back and is gone from the archive is ordered anew", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version === 2;
  await stage.run();
  await rm(join(stage.root, "archive", "a.test", "privkey2.pem"));
  stage.pass(MINUTE);
  await stage.run();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3"]);
});

test("after a version that is served, the back-off of rejections starts anew", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.live(3 * HOUR);
  expect(triesOf(stage)).toEqual([10, 100, A_DAY]);
  stage.nginx.refuses = () => false;
  expect(isReached(last(await stage.live(2 * DAY, { everyMs: 6 * HOUR })))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  stage.pass(61 * DAY);
  stage.nginx.refuses = (_, version) => version > 2;
  await stage.live(3 * HOUR);
  expect(triesOf(stage, 4)).toEqual([10, 100, A_DAY]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(3);
});

test.each([1, 6 * 24, 90 * 24])(
  "of a life of %d hours, a refusal that ends shortly before what is served does is over in time",
  async (hours) => {
    const lifeMs = hours * HOUR;
    const stage = await reconcileStage({ lifeMs });
    await stage.run();
    const endMs = stage.now().getTime() + lifeMs;
    stage.nginx.refuses = (_, version) => version > 1;
    stage.pass(0.6 * lifeMs);
    await stage.live(endMs - Math.min(2 * HOUR, lifeMs / 10) - stage.now().getTime(), { everyMs: 6 * HOUR });
    stage.nginx.refuses = () => false;
    await stage.live(endMs - MINUTE - stage.now().getTime(), { everyMs: 6 * HOUR });
    expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
    expect(stage.ca.orders).toHaveLength(2);
  },
);

test("one target accepts what the other rejects: the version is shown ever more rarely all the same", async () => {
  const stage = await dueStage();
  const picky = new TestTarget(stage.root, "nginx-2");
  for (const targets of [
    [stage.nginx, picky],
    [picky, stage.nginx],
  ]) {
    stage.targets = targets;
    await stage.run();
    stage.pass(61 * DAY);
    const before = stage.ca.orders.length;
    const told = stage.told("lineage.restored").length;
    picky.refuses = (_, version) => version > before;
    await stage.live(3 * HOUR);
    expect(triesOf(stage, told)).toEqual([10, 100, A_DAY]);
    expect(stage.ca.orders).toHaveLength(before + 1);
    picky.refuses = () => false;
    await stage.live(2 * DAY, { everyMs: 6 * HOUR });
    expect(picky.served()).toEqual(stage.nginx.served());
  }
});

test("a version that one target has refused is not asked of the next one", async () => {
  const stage = await dueStage();
  const picky = new TestTarget(stage.root, "nginx-2");
  stage.targets = [picky, stage.nginx];
  picky.refuses = (_, version) => version > 1;
  expect(deploys(await stage.run())).toEqual(["nginx-2 a.test failed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
});

test("puts back only the version that is guilty, and serves the other", async () => {
  const stage = await dueStage("a.test;b.test");
  stage.nginx.refuses = (lineage, version) => lineage === "a.test" && version === 2;
  const report = await stage.run();
  expect(deploys(report).sort()).toEqual(["nginx-1 a.test failed", "nginx-1 b.test deployed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
});

test("a version of a kind of key that is no longer wanted isn't shown again: one of the other kind is ordered", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version === 2;
  await stage.run();
  stage.set("a.test", { keyType: "rsa-2048" });
  expect(outcomes(await stage.command())).toEqual(["a.test renewed"]);
  expect(stage.ca.orders.map(({ keyType }) => keyType)).toEqual(["ecdsa-p256", "ecdsa-p256", "rsa-2048"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3"]);
});

test("a version that can't be put back stays whole, and is put back when the disk obeys again", async () => {
  const stage = await dueStage("a.test;b.test");
  stage.nginx.refuses = (lineage, version) => lineage === "a.test" && version === 2;
  let hasInstalled = false;
  stage.onDisk = (call) => {
    if (!/^rename \S+\/live\/\.b\.test\.next /.test(call)) return;
    if (hasInstalled) throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    hasInstalled = true;
  };
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test failed", "nginx-1 b.test failed"]);
  for (const lineage of ["a.test", "b.test"]) expect(await isServable(stage.root, lineage)).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
  stage.onDisk = () => undefined;
  stage.pass(10 * MINUTE);
  await stage.run();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
  await stage.nginx.check();
  expect(stage.ca.orders).toHaveLength(4);
});

/** Makes each run die at the `dieAt`th test or writing call on the disk since the new version was refused first; gives whether it has. */
function dieDuringBlame(stage: ReconcileStage, dieAt: number, isGuilty: boolean): () => boolean {
  let [calls, isDead, isBlaming] = [0, false, false];
  const step = () => {
    calls += isBlaming ? 1 : 0;
    isDead ||= calls >= dieAt;
    if (isDead) throw new Error("dead");
  };
  stage.onDisk = (call) => {
    if (isDead || !/^(?:stat|lstat|readdir|readFile|readlink|file\.close)\b/.test(call)) step();
  };
  stage.nginx.refuses = (lineage, version) => {
    step();
    // A foreign reason is there in the first test alone.
    const isRefused = lineage === "a.test" && version > 1 && (isGuilty || !isBlaming);
    isBlaming ||= isRefused;
    return isRefused;
  };
  return () => isDead;
}

test.each([true, false])(
  "a death at any call while the guilty version is looked for costs no order, and the newer version is served (guilty: %s)",
  async (isGuilty) => {
    const served: string[][] = [];
    for (let dieAt = 1; ; dieAt += 1) {
      const stage = await dueStage();
      stage.ca.suggestion = () => ({ kind: "window", startAt: new Date(0), endAt: new Date(1) });
      const hasDied = dieDuringBlame(stage, dieAt, isGuilty);
      await stage.run();
      if (!hasDied()) break;
      stage.onDisk = () => undefined;
      stage.nginx.refuses = () => false;
      stage.ca.suggestion = () => ({ kind: "unsupported" });
      // Where the refusal is written down already, its pause holds.
      await stage.live(2 * MINUTE);
      served.push([...stage.nginx.served(), `orders: ${stage.ca.orders.length}`]);
    }
    expect(served.length).toBeGreaterThan(10);
    expect(served).toEqual(served.map(() => ["a.test=a.test/2", "orders: 2"]));
  },
);

test("a sidecar that dies at each test of the version before orders once, whatever the CA suggests", async () => {
  const stage = await dueStage();
  stage.ca.suggestion = () => ({ kind: "window", startAt: new Date(0), endAt: new Date(1) });
  for (let life = 0; life < 20; life += 1) {
    let [isDead, isRefused] = [false, false];
    stage.onDisk = () => {
      if (isDead) throw new Error("dead");
    };
    stage.nginx.refuses = (_, version) => {
      isDead ||= isRefused && version === 1;
      if (isDead) throw new Error("dead");
      isRefused ||= version > 1;
      return version > 1;
    };
    await stage.live(1).catch(() => undefined);
    stage.pass(10_000);
  }
  expect(stage.ca.orders).toHaveLength(2);
  stage.onDisk = () => undefined;
  stage.nginx.refuses = () => false;
  stage.ca.suggestion = () => ({ kind: "unsupported" });
  await stage.live(1);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a version that a target has served before is not why it refuses its configuration now: it stays", async () => {
  const stage = await dueStage();
  expect(isReached(await stage.run())).toBe(true);
  const anew = new TestTarget(stage.root);
  anew.refuses = (_, version) => version === 2;
  stage.targets = [anew];
  for (let hour = 0; hour < 3; hour += 1) {
    expect(deploys(await stage.command())).toEqual(["nginx-1 a.test failed"]);
    stage.pass(HOUR);
  }
  expect([stage.told("lineage.restored"), stage.ca.orders.length]).toEqual([[], 2]);
});

test("a version is not put back while that can't be written down: it would be ordered again", async () => {
  const stage = await dueStage();
  stage.nginx.refuses = (_, version) => version === 2;
  let isInstalled = false;
  stage.onDisk = (call) => {
    isInstalled ||= stage.nginx.checks > 1;
    if (isInstalled && /^(?:readFile|open) \S+\/sidecar\/\.?a\.test\.json/.test(call)) {
      throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    }
  };
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test failed"]);
  expect(stage.told("lineage.restored")).toEqual([]);
  await expect(stage.nginx.check(undefined, ["a.test"])).rejects.toThrow("a.test");
  stage.onDisk = () => undefined;
  expect(deploys(await stage.command())).toEqual(["nginx-1 a.test failed"]);
  expect(stage.told("lineage.restored")).toHaveLength(1);
  await stage.nginx.check();
});
