import { readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { automaticRun, inspect, isReached, reconcile, type RunReport } from "../../../src/reconcile/index.ts";
import { listTree } from "../../support/lineage-tree.ts";
import { CaFailure, DAY, deploys, HOUR, MINUTE, outcomes, reconcileStage } from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const failing = (code: string) => Object.assign(new Error(`${code}: simulated`), { code });

/** Two certificates that are served, and have become due. */
async function dueStage() {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return stage;
}

test("a state that can't be read fails that certificate without an order, and the other is renewed and served", async () => {
  const stage = await dueStage();
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/a\.test\.json/.test(call)) throw failing("EIO");
  };
  for (let hour = 0; hour < 3; hour += 1) {
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["a.test failed STORE_FAILED", `b.test ${hour === 0 ? "renewed" : "not-due"}`]);
    expect(deploys(report).sort()).toEqual([
      "nginx-1 a.test served",
      `nginx-1 b.test ${hour === 0 ? "deployed" : "served"}`,
    ]);
    stage.pass(HOUR);
  }
  expect(stage.ca.orders.slice(2).map(({ lineage }) => lineage)).toEqual(["b.test"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
  stage.onDisk = () => undefined;
  expect(isReached(await stage.run())).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/2"]);
});

test("a state that can't be read keeps neither certificate from a target that serves none yet", async () => {
  const stage = await dueStage();
  stage.pass(-60 * DAY);
  const fresh = new TestTarget(stage.root, "nginx-2");
  stage.targets = [fresh];
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/a\.test\.json/.test(call)) throw failing("EIO");
  };
  const report = await stage.run();
  expect(deploys(report).sort()).toEqual(["nginx-2 a.test deployed", "nginx-2 b.test deployed"]);
  expect(fresh.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
});

test("a state that is no JSON is set aside, told, and the certificate is renewed", async () => {
  const stage = await dueStage();
  const sidecar = join(stage.root, "sidecar");
  await writeFile(join(sidecar, "a.test.json"), '{"schema": 1, "iss');
  expect(isReached(await stage.run())).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/2"]);
  expect(stage.told("state.repaired")).toMatchObject([{ lineage: "a.test", did: "began afresh" }]);
  const aside = (await readdir(sidecar)).filter((name) => name.startsWith("a.test.json.corrupt-"));
  expect(await Promise.all(aside.map((name) => readFile(join(sidecar, name), "utf8")))).toEqual(['{"schema": 1, "iss']);
});

test("a disk that is full for our notes alone doesn't make what is served a failure", async () => {
  const stage = await dueStage();
  stage.pass(-60 * DAY);
  const fresh = new TestTarget(stage.root, "nginx-2");
  stage.targets = [fresh];
  stage.onDisk = (call) => {
    if (/^open \S+\/sidecar\/\S+\.json\.new /.test(call)) throw failing("ENOSPC");
  };
  const report = await stage.run();
  expect(deploys(report)).toEqual(["nginx-2 a.test deployed", "nginx-2 b.test deployed"]);
  expect(isReached(report)).toBe(true);
  expect(new Set(stage.told("state.unsaved").map(({ lineage }) => lineage))).toEqual(new Set(["a.test", "b.test"]));
  expect(deploys(await stage.run())).toEqual(["nginx-2 a.test served", "nginx-2 b.test served"]);
});

test("a disk that is full for our notes stops the order before the CA hears of it", async () => {
  const stage = await dueStage();
  stage.onDisk = (call) => {
    if (/^open \S+\/sidecar\/\S+\.json\.new /.test(call)) throw failing("ENOSPC");
  };
  for (let minute = 0; minute < 5; minute += 1) {
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["a.test failed STORE_DISK_FULL", "b.test failed STORE_DISK_FULL"]);
    stage.pass(MINUTE);
  }
  expect(stage.ca.orders).toHaveLength(2);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
});

test("a disk that fills up while the CA refuses hides neither the refusal nor when the next try is", async () => {
  const stage = await dueStage();
  let isFull = false;
  stage.ca.answer = () => {
    isFull = true;
    throw new CaFailure();
  };
  stage.onDisk = (call) => {
    if (isFull && /^open \S+\/sidecar\/\S+\.json\.new /.test(call)) throw failing("ENOSPC");
  };
  const report = await stage.run();
  expect(outcomes(report)[0]).toBe("a.test failed TEST_CA_FAILED");
  expect(report.nextAt?.getTime()).toBeGreaterThan(stage.now().getTime());
  expect(new Set(stage.told("lineage.failed").map(({ code }) => code))).toContain("STORE_DISK_FULL");
});

test("a conf that can't be read, of a certificate that the settings don't name, is a failure, and no silence", async () => {
  const stage = await dueStage();
  stage.pass(-60 * DAY);
  stage.set("a.test");
  await writeFile(join(stage.root, "renewal", "b.test.conf"), "no conf\n");
  const report = await stage.run();
  expect(outcomes(report).sort()).toEqual(["a.test not-due", "b.test failed RENEWAL_CONF_UNREADABLE"]);
  expect(isReached(report)).toBe(false);
});

test("a certificate whose conf has been emptied goes on being served", async () => {
  const stage = await reconcileStage();
  stage.set("a.test;b.test");
  await stage.run();
  const listed = await stage.list();
  stage.set("a.test");
  await writeFile(join(stage.root, "renewal", "b.test.conf"), "");
  await stage.run();
  expect(await stage.list()).toEqual(listed);
  expect(listed).toEqual(["a.test a.test", "b.test b.test"]);
});

test("servers are told the names before the CA looks at them, and are so when the order fails", async () => {
  const stage = await reconcileStage();
  const listed: string[] = [];
  stage.ca.answer = () => {
    listed.push(readFileSync(join(stage.root, "sidecar", "certificates"), "utf8"));
    throw new CaFailure();
  };
  await stage.run();
  expect(listed).toEqual([expect.stringContaining("a.test default test a.test")]);
});

describe("a file system that can't hold certbot's tree is found before the CA hears of anything:", () => {
  // Where not even our notes can be written the run has come to no certificate.
  const codeOf = ({ failure, certificates }: RunReport) => (failure ?? certificates[0]?.failure)?.code;
  const refused = (code: string, syscall: string) => Object.assign(failing(code), { syscall });
  test.each([
    ["no links (exFAT by FUSE)", /^symlink/, refused("ENOSYS", "symlink")],
    ["no links (a kernel's)", /^symlink/, refused("EPERM", "symlink")],
    ["no modes", /^file\.chmod/, refused("EPERM", "fchmod")],
    ["no links over links", /^rename \S+\.next /, refused("EINVAL", "rename")],
    ["no long names", /^open \S{40,}\.new /, refused("ENAMETOOLONG", "open")],
    ["not these names", /^open \S+\.conf/, refused("ENOENT", "open")],
  ])("%s", async (_what, call, problem) => {
    const stage = await reconcileStage();
    stage.onDisk = (made) => {
      if (call.test(made) && !/\/sidecar\b/.test(made)) throw problem;
    };
    stage.ca.answer = () => {
      throw new Error("the CA was asked");
    };
    for (let hour = 0; hour < 3; hour += 1) {
      const report = await stage.run();
      expect(codeOf(report)).toBe("STORE_UNFIT");
      expect(report.nextAt?.getTime()).toBeGreaterThan(stage.now().getTime());
      stage.pass(HOUR);
    }
    expect(codeOf(await stage.command({ isRehearsal: true }))).toBe("STORE_UNFIT");
    expect((await readdir(stage.root)).filter((name) => name !== "sidecar")).toEqual([]);
    stage.onDisk = () => undefined;
    stage.ca.answer = () => undefined;
    expect(isReached(await stage.run())).toBe(true);
  });
});

test("what must be renewed, and can't be kept any more, is still known to be there", async () => {
  const stage = await dueStage();
  stage.onDisk = (call) => {
    if (call.startsWith("symlink")) throw failing("ENOSYS");
  };
  const [report] = (await stage.run()).certificates;
  expect(report).toMatchObject({ version: 1, failure: { code: "STORE_UNFIT" } });
  expect(stage.ca.orders).toHaveLength(2);
});

test("the trial of the file system is made once for plain names, in each folder, and leaves nothing", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test;c.test" });
  const trials: string[] = [];
  stage.onDisk = (call) => {
    if (/^mkdir \S+\.trial$/.test(call)) trials.push(call.replace(`mkdir ${stage.root}/`, ""));
  };
  const parts = stage.parts();
  const run = { request: automaticRun("schedule"), log: stage.log, signal: new AbortController().signal };
  await reconcile({ ...parts, policy: { ...parts.policy, wanted: parts.policy.wanted.slice(0, 1) } }, run);
  await reconcile(parts, run);
  expect(trials).toEqual([".a.test.trial"]);
  stage.pass(61 * DAY);
  await stage.run({ only: { lineage: "b.test" } });
  expect(trials.slice(1)).toEqual(["live/.b.test.trial", "archive/.b.test.trial", "renewal/.b.test.trial"]);
  expect((await listTree(stage.root)).filter((line) => line.includes("trial"))).toEqual([]);
});

test("a list for servers that the disk doesn't give back stops no renewal, and is told", async () => {
  const stage = await dueStage();
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/certificates/.test(call)) throw failing("EIO");
  };
  const report = await stage.run();
  expect(outcomes(report)).toEqual(["a.test renewed", "b.test renewed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/2"]);
  expect(isReached(report)).toBe(false);
  expect(report.missing?.map(({ failure }) => failure.code)).toEqual(["STORE_FAILED"]);
  expect(stage.told("state.unsaved")).toMatchObject([{ code: "STORE_FAILED" }]);
  stage.onDisk = () => undefined;
  expect(isReached(await stage.run())).toBe(true);
});

test("a ledger of the fallback CA that the disk doesn't give back keeps nobody from seeing how things are", async () => {
  const stage = await dueStage();
  stage.set("a.test;b.test", { fallbackDirectoryUrl: "https://other.test/dir" });
  stage.onDisk = (call) => {
    if (/^readFile \S+\/sidecar\/cas\/other/.test(call)) throw failing("EIO");
  };
  const { certificates } = await inspect(stage.parts(), { signal: new AbortController().signal, withTargets: true });
  expect(certificates.map(({ decision }) => decision.kind)).toEqual(["refused", "refused"]);
  expect(certificates.map(({ targets }) => targets[0]?.finding.kind)).toEqual(["served", "served"]);
});
