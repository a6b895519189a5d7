import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { automaticRun, inspect, reconcile } from "../../../src/reconcile/index.ts";
import {
  CaFailure,
  DAY,
  deploys,
  HOUR,
  last,
  LETS_ENCRYPT,
  MINUTE,
  outcomes,
  reconcileStage,
} from "../../support/reconcile-stage.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const failing = (code: string) => Object.assign(new Error(`${code}: simulated`), { code });
const many = (count: number) => Array.from({ length: count }, (_, index) => `n${index}.test`).join(";");

test("a disk that takes no note isn't asked each second", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(61 * DAY);
  stage.onDisk = (call) => {
    if (/^open .*(\.new|sidecar)/.test(call)) throw failing("ENOSPC");
  };
  expect((await stage.live(5 * MINUTE)).length).toBeLessThan(8);
  expect(stage.ca.orders).toHaveLength(1);
});

test("a target isn't asked for what has just been put on disk, and after its reload for one before it is for all", async () => {
  const stage = await reconcileStage({ domains: many(30) });
  const did: string[] = [];
  stage.nginx.before = (doing) => void did.push(doing);
  let isReloading = true;
  stage.nginx.hides = () => {
    did.push("look");
    // It takes some looks' time until the new workers are there.
    isReloading &&= did.length < 8;
    return isReloading;
  };
  expect(deploys(await stage.run())).toHaveLength(30);
  expect(did.slice(0, 2)).toEqual(["check", "apply"]);
  // Those of the first until it is served, and each one's second look.
  expect(did.filter((one) => one === "look")).toHaveLength(5 + 2 * 30);
});

test("a renewal conf that can't be read isn't looked at each second", async () => {
  const stage = await reconcileStage();
  const later = (days: number) => new Date(stage.now().getTime() + days * DAY);
  stage.ca.suggestion = () => ({ kind: "window", startAt: later(30), endAt: later(31) });
  await stage.live(MINUTE);
  await writeFile(join(stage.root, "renewal", "a.test.conf"), "version = 5.0.0\n");
  stage.pass(DAY);
  expect((await stage.live(5 * MINUTE)).length).toBeLessThan(4);
});

test("a state that can't be read for a moment is read again soon", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/a\.test\.json/.test(call)) throw failing("EIO");
  };
  const report = await stage.run();
  expect(outcomes(report)[0]).toMatch(/^a\.test failed STORE_/);
  expect((report.nextAt?.getTime() ?? 0) - stage.now().getTime()).toBe(10 * MINUTE);
});

test("of many certificates that are due a few orders find out that the CA is unreachable, not each", async () => {
  const stage = await reconcileStage({ domains: many(60) });
  stage.ca.isUp = () => false;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-unreachable" });
  };
  const report = await stage.run();
  expect(stage.ca.orders.length).toBeLessThanOrEqual(4);
  expect(outcomes(report).filter((line) => line.endsWith("held TEST_CA_FAILED")).length).toBeGreaterThanOrEqual(56);
  stage.ca.answer = () => undefined;
  stage.ca.isUp = () => true;
  await stage.live(HOUR);
  expect(stage.nginx.served()).toHaveLength(60);
});

test("a CA that refuses the question when to renew is asked three times in a run", async () => {
  const stage = await reconcileStage({ domains: many(20) });
  await stage.run();
  stage.ca.suggestion = () => ({ kind: "long-term", reason: "429" });
  await stage.run();
  expect(stage.ca.questions.length).toBeLessThanOrEqual(6);
});

test("the questions of many certificates wake a few runs, not one each", async () => {
  const stage = await reconcileStage({ domains: many(40), random: seededRandom("questions") });
  await stage.run();
  await stage.run();
  const reports = await stage.live(2 * DAY);
  expect(reports.length - 2 * 48).toBeLessThan(16);
  expect(stage.ca.questions.length).toBeGreaterThanOrEqual(80);
});

test("an order that a restart cuts off doesn't end the probes of a CA that was down", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(60 * DAY);
  stage.ca.isUp = () => false;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-unreachable" });
  };
  await stage.live(2 * DAY);
  const stop = new AbortController();
  stage.ca.answer = () => {
    stop.abort();
    throw stop.signal.reason;
  };
  for (let hour = 0; hour < 60 && !stop.signal.aborted; hour += 1) {
    await stage.run({}, stop.signal).catch(() => undefined);
    stage.pass(HOUR);
  }
  expect(stop.signal.aborted).toBe(true);
  stage.ca.isUp = () => true;
  stage.ca.answer = () => undefined;
  await stage.live(HOUR);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
});

test("a name that fails is not ordered more often once the certificate has expired, whoever asks", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  await stage.run();
  stage.pass(100 * DAY);
  stage.ca.answer = () => {
    throw Object.assign(new CaFailure(undefined, { origin: "proof" }), { unverified: [parseIdentifier("a.test")] });
  };
  for (let minute = 0; minute < 60; minute += 1) {
    await stage.command();
    stage.pass(MINUTE);
  }
  expect(stage.ca.orders.length - 1).toBeLessThanOrEqual(10);
});

test("rehearsals obey a CA that has asked for patience, and leave a tree as it is, broken or not", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: "https://no-staging.test/dir" });
  const until = new Date(stage.now().getTime() + DAY);
  stage.ca.answer = () => {
    throw new CaFailure(until);
  };
  await stage.run();
  expect(stage.ca.orders).toHaveLength(1);
  await writeFile(join(stage.root, "sidecar", ".x.json.new"), "left");
  const before = await stage.treeHash();
  for (let round = 0; round < 5; round += 1) await stage.command({ isRehearsal: true });
  expect(stage.ca.orders).toHaveLength(1);
  expect(await stage.treeHash()).toBe(before);
});

test("a name that can't be had doesn't take those down that can", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.set("a.test,typo.test");
  stage.ca.answer = ({ names }) => {
    if (names.includes("typo.test")) throw new CaFailure(undefined, { origin: "proof" });
  };
  await stage.live(100 * DAY, { everyMs: 12 * HOUR });
  const renewed = stage.ca.orders.filter(({ names }) => names === "a.test");
  expect(renewed).toHaveLength(2);
  expect(((renewed[1]?.at.getTime() ?? 0) - (renewed[0]?.at.getTime() ?? 0)) / DAY).toBeLessThan(64);
  // The names that are wanted are tried all the same, and had as soon as that is possible.
  expect(last(stage.ca.orders).names).toBe("a.test,typo.test");
  stage.ca.answer = () => undefined;
  await stage.live(2 * DAY);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3", "typo.test=a.test/3"]);
});

test("a version that is on disk is served, though the disk takes no note of it", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(61 * DAY);
  let isInstalled = false;
  stage.onDisk = (call) => {
    if (/^rename \S+\/live\/\.a\.test\.next /.test(call)) isInstalled = true;
    if (isInstalled && /^open \S+sidecar\/\S*a\.test\.json/.test(call)) throw failing("ENOSPC");
  };
  expect(outcomes(await stage.run())).toEqual(["a.test renewed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(outcomes(await stage.run())).toEqual(["a.test not-due"]);
  expect(stage.ca.orders).toHaveLength(2);
});

test("a CA that wants each new certificate renewed at once gets no endless orders, and none lapses, however short its life", async () => {
  const stage = await reconcileStage({ lifeMs: 20 * HOUR });
  const before = (hours: number) => new Date(stage.now().getTime() - hours * HOUR);
  stage.ca.suggestion = () => ({ kind: "window", startAt: before(2), endAt: before(1), askAgainAt: before(-1) });
  const reports = await stage.live(5 * DAY);
  const isLapsed = reports.some(({ certificates, finishedAt }) =>
    certificates.some(({ validity }) => validity && validity.notAfter < finishedAt),
  );
  expect(isLapsed).toBe(false);
  expect(stage.ca.orders.length).toBeLessThan(70);
});

test("a certificate whose name no folder can have fails alone, with what to do, and the others are ordered and shown", async () => {
  const long = `${"n".repeat(63)}.`.repeat(3) + "x".repeat(48);
  const stage = await reconcileStage({ domains: `a.test;${long};b.test` });
  const report = await stage.run();
  expect(outcomes(report)).toEqual(["a.test issued", `${long} failed LINEAGE_NAME_UNSAFE`, "b.test issued"]);
  expect(report.certificates[1]?.failure?.remedy).toMatch(/put a shorter name first.*--cert-name/);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
  expect(await stage.list()).toEqual(["a.test a.test", "b.test b.test"]);
  const { certificates } = await inspect(stage.parts(), { signal: new AbortController().signal, withTargets: true });
  expect(certificates.map(({ decision }) => decision.kind)).toEqual(["current", "refused", "current"]);
});

test("a state or an archive that the disk doesn't give back keeps nobody from seeing, or being served, the others", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  await stage.run();
  stage.pass(61 * DAY);
  let isRefused = false;
  stage.nginx.refuses = (lineage, version) => {
    isRefused ||= lineage === "b.test" && version === 2;
    return lineage === "b.test" && version === 2;
  };
  stage.onDisk = (call) => {
    if (isRefused && /^readdir \S+\/archive\/a\.test/.test(call)) throw failing("EIO");
  };
  await stage.run();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/1"]);
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/a\.test\.json/.test(call)) throw failing("EIO");
  };
  const { certificates } = await inspect(stage.parts(), { signal: new AbortController().signal, withTargets: true });
  expect(certificates.map(({ decision }) => decision.kind)[0]).toBe("refused");
  expect(certificates[0]?.targets.map(({ finding }) => finding.kind)).toEqual(["served"]);
});

test("where the tree is stored is looked for once a run, and once for status, however many certificates there are", async () => {
  const stage = await reconcileStage({ domains: many(20) });
  let looks = 0;
  const storage = { inspect: async () => ((looks += 1), stage.storage) };
  const signal = new AbortController().signal;
  stage.ca.answer = () => {
    throw new CaFailure();
  };
  await reconcile({ ...stage.parts(), storage }, { request: automaticRun("start"), log: stage.log, signal });
  expect(looks).toBe(1);
  await inspect({ ...stage.parts(), storage }, { signal, withTargets: false });
  expect(looks).toBe(2);
});
