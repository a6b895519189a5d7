import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { isReached, type Target } from "../../../src/reconcile/index.ts";
import { isServable } from "../../support/lineage-tree.ts";
import {
  DAY,
  deploys,
  HOUR,
  last,
  outcomes,
  reconcileStage,
  type ReconcileStage,
} from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

// The test of the configuration passes, and yet no handshake with a version succeeds: as an ECDSA key at RSA's ciphers.

async function dueStage(domains = "a.test") {
  const stage = await reconcileStage({ domains });
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return stage;
}

test("a version with which no handshake succeeds is put back at once, told, and shown again ever more rarely with no order", async () => {
  const stage = await dueStage();
  stage.nginx.breaks = (_, version) => version > 1;
  const before = stage.now().getTime();
  const report = await stage.run();
  expect(report.deploys).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_CERTIFICATE_REJECTED" } }]);
  expect(report.deploys[0]?.failure?.message).toBe(
    "version 2 of a.test was put back since no handshake with it succeeds: no cipher for it",
  );
  expect(report.deploys[0]?.failure?.remedy).toBe("Look; this version is tried again by itself and by update-cert.");
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  expect(stage.now().getTime() - before).toBeLessThan(5000);
  expect(await isServable(stage.root, "a.test")).toBe(true);
  const reports = await stage.live(7 * DAY);
  expect(stage.ca.orders).toHaveLength(2);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  expect(outcomes(last(reports))).toEqual(["a.test held TARGET_CERTIFICATE_REJECTED"]);
  stage.nginx.breaks = () => false;
  expect(isReached(last(await stage.live(DAY)))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("of several versions only the guilty one is put back", async () => {
  const stage = await dueStage("a.test;b.test");
  stage.nginx.breaks = (lineage, version) => lineage === "b.test" && version > 1;
  const report = await stage.run();
  expect(deploys(report)).toEqual(["nginx-1 a.test deployed", "nginx-1 b.test failed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/1"]);
});

test("where the version before is served no more either, it is the server's matter: the new one stays", async () => {
  const stage = await dueStage();
  stage.nginx.breaks = () => true;
  const report = await stage.run();
  expect(report.deploys).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } }]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  stage.nginx.breaks = () => false;
  expect(isReached(last(await stage.live(HOUR)))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a first version has none before it that could be put back", async () => {
  const stage = await reconcileStage();
  stage.nginx.breaks = () => true;
  const report = await stage.run();
  expect(report.deploys).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } }]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
});

test("a version that one target breaks with and another serves is put back for both, in the end", async () => {
  const stage = await reconcileStage();
  const other = new TestTarget(stage.root, "nginx-2");
  stage.targets.push(other);
  await stage.run();
  stage.pass(61 * DAY);
  stage.nginx.breaks = (_, version) => version > 1;
  await stage.live(2 * HOUR);
  expect([stage.nginx.served(), other.served()]).toEqual([["a.test=a.test/1"], ["a.test=a.test/1"]]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("two targets that break with it both serve the one before at once", async () => {
  const stage = await reconcileStage();
  const other = new TestTarget(stage.root, "nginx-2");
  stage.targets.push(other);
  await stage.run();
  stage.pass(61 * DAY);
  other.breaks = stage.nginx.breaks = (_, version) => version > 1;
  await stage.run();
  expect([stage.nginx.served(), other.served()]).toEqual([["a.test=a.test/1"], ["a.test=a.test/1"]]);
  expect(stage.log.lines.filter(({ event }) => event === "lineage.restored")).toHaveLength(1);
});

test("two targets that are given it, and read no files, both have the one before at once", async () => {
  const stage = await reconcileStage();
  const given = [givenTarget("haproxy-1"), givenTarget("haproxy-2")];
  stage.targets = given;
  await stage.run();
  stage.pass(61 * DAY);
  const [before] = given.map((target) => target.serves.get("a.test"));
  for (const target of given) target.breaks = (fingerprint) => fingerprint !== before;
  await stage.run();
  expect(given.map((target) => target.serves.get("a.test"))).toEqual([before, before]);
});

test.each([1, 2])(
  "of %d targets that take over by themselves each has the one before after some seconds",
  async (count) => {
    const stage = await reconcileStage();
    const watching = Array.from({ length: count }, (_, index) => watchingTarget(stage, `nginx-${index + 1}`, 2500));
    stage.targets = watching;
    expect(isReached(await stage.run())).toBe(true);
    stage.pass(61 * DAY);
    for (const target of watching) target.breaks = (_, version) => version > 1;
    const report = await stage.run();
    expect(report.deploys.map(({ outcome }) => outcome)).toEqual(Array(count).fill("failed"));
    expect(await shown(stage)).toBe(1);
    expect(stage.told("lineage.restored")).toHaveLength(1);
    await stage.live(DAY);
    for (const target of watching) expect(target.served()).toEqual(["a.test=a.test/1"]);
    expect(stage.ca.orders).toHaveLength(2);
  },
);

test("where the one before can't be tried, the new one stays, and it is tried later", async () => {
  const stage = await dueStage();
  stage.nginx.breaks = (_, version) => version > 1;
  const applied = onApply(stage, 2, () => Promise.reject(new Error("no reload")));
  const report = await stage.run();
  applied.stop();
  expect(report.deploys).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } }]);
  expect(await shown(stage)).toBe(2);
  await stage.live(HOUR);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a death while the one before is tried costs no order, and the next start ends with what can be served", async () => {
  const stage = await dueStage();
  stage.nginx.breaks = (_, version) => version > 1;
  const applied = onApply(stage, 2, () => new Promise(() => {}));
  void stage.run();
  await applied.reached;
  applied.stop();
  expect(await shown(stage)).toBe(1);
  expect(await isServable(stage.root, "a.test")).toBe(true);
  await stage.live(2 * HOUR);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  expect(stage.ca.orders).toHaveLength(2);
  stage.nginx.breaks = () => false;
  await stage.live(DAY);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(stage.ca.orders).toHaveLength(2);
});

const shown = async (stage: ReconcileStage) => (await stage.parts().store.list())[0]?.current?.version;

/** What happens at the `nth` reload from now on, until it is stopped. */
function onApply(stage: ReconcileStage, nth: number, happens: () => Promise<never>) {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  let reloads = 0;
  stage.nginx.before = async (doing) => {
    if (doing !== "apply") return;
    reloads += 1;
    if (reloads !== nth) return;
    resolve();
    await happens();
  };
  return { reached, stop: () => (stage.nginx.before = () => undefined) };
}

/** It takes what is on disk each `everyMs`, told or not. */
function watchingTarget(stage: ReconcileStage, name: string, everyMs: number): TestTarget & Target {
  const target = new TestTarget(stage.root, name);
  const tlsCheck = target.tlsCheck.bind(target);
  let tookAt = 0;
  target.tlsCheck = async (certificate, signal) => {
    if (stage.now().getTime() - tookAt >= everyMs) {
      tookAt = stage.now().getTime();
      target.restart();
    }
    return tlsCheck(certificate, signal);
  };
  return Object.assign(target, {
    takesOverItself: true as const,
    check: async () => undefined,
    apply: async () => new Map(),
  });
}

/** As HAProxy: it serves of each lineage what it was given. */
function givenTarget(name: string) {
  const serves = new Map<string, string>();
  const target = {
    name,
    serves,
    breaks: (_fingerprint: string): boolean => false,
    wants: () => true,
    tlsCheck: async ({ lineage, fingerprint }) => {
      const served = serves.get(lineage);
      if (served !== undefined && target.breaks(served))
        return { kind: "not-served", message: "no cipher for it", remedy: "Look.", isBroken: true };
      if (served === fingerprint) return { kind: "served" };
      return { kind: "not-served", message: "another one", remedy: "Look." };
    },
    check: async () => undefined,
    apply: async (behind) => {
      for (const { lineage, pair } of behind)
        serves.set(lineage, new X509Certificate((await pair()).chainPem).fingerprint256);
      return new Map();
    },
  } satisfies Target & Record<string, unknown>;
  return target;
}
