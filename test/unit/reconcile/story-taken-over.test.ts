import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inspect, isReached } from "../../../src/reconcile/index.ts";
import { pictureOf } from "../../../src/reconcile/picture.ts";
import { putCertbotLineage } from "../../support/lineage-tree.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { CaFailure, DAY, deploys, outcomes, reconcileStage, STAGING } from "../../support/reconcile-stage.ts";

const NEVER = new AbortController().signal;

/** Two certificates that are served; `spoil` is done to the tree, and a process starts. */
async function spoiled(spoil: (at: (...parts: string[]) => string) => Promise<void>, domains = "a.test;b.test") {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  expect(isReached(await stage.run())).toBe(true);
  await spoil((...parts) => join(stage.root, ...parts));
  stage.set(domains);
  const orders = stage.ca.orders.length;
  const conf = (name: string) => readFile(join(stage.root, "renewal", `${name}.conf`), "utf8");
  return { stage, conf, ordered: () => stage.ca.orders.slice(orders).map(({ lineage }) => lineage) };
}

describe("a certificate that is wanted and whose conf is gone", () => {
  test.each([
    ["alone", async (at) => rm(at("renewal", "a.test.conf"))],
    ["with all of renewal", async (at) => rm(at("renewal"), { recursive: true })],
    ["but for an empty file, after a power cut", async (at) => writeFile(at("renewal", "a.test.conf"), "")],
    [
      "with what live showed",
      async (at) => {
        await rm(at("renewal", "a.test.conf"));
        await rm(at("live"), { recursive: true });
      },
    ],
  ] satisfies [string, Parameters<typeof spoiled>[0]][])(
    "%s, is the one on disk, and has a conf again",
    async (_, spoil) => {
      const { stage, conf, ordered } = await spoiled(spoil);
      stage.ca.answer = () => {
        throw new CaFailure();
      };
      const report = await stage.run({ trigger: "start" });
      expect(outcomes(report)).toEqual(["a.test not-due", "b.test not-due"]);
      expect(deploys(report)).toEqual(["nginx-1 a.test served", "nginx-1 b.test served"]);
      expect(pictureOf(report, stage.now()).problems).toEqual([]);
      expect(await conf("a.test")).toContain("[[webroot_map]]");
      expect(await stage.list()).toHaveLength(2);
      expect(ordered()).toEqual([]);
      // It is renewed in its time, whether or not the settings still name it.
      stage.ca.answer = () => undefined;
      stage.set("b.test");
      stage.pass(61 * DAY);
      expect(isReached(await stage.run())).toBe(true);
      expect(ordered().sort()).toEqual(["a.test", "b.test"]);
    },
  );

  test("is replaced at once where a CA's place for tests has issued it", async () => {
    const stage = await reconcileStage();
    await putCertbotLineage(stage.root, "a.test", issueForTest({ names: ["a.test"], issuer: "(STAGING) Tenuous" }));
    await rm(join(stage.root, "renewal"), { recursive: true });
    expect(outcomes(await stage.run())).toEqual(["a.test renewed"]);
  });

  test("gets no conf of a CA for tests", async () => {
    const { stage, ordered } = await spoiled((at) => rm(at("renewal", "a.test.conf")));
    stage.set("a.test;b.test", { directoryUrl: STAGING });
    expect(outcomes(await stage.run())).toEqual(["a.test not-due", "b.test not-due"]);
    await expect(readFile(join(stage.root, "renewal", "a.test.conf"))).rejects.toThrow("ENOENT");
    expect(ordered()).toEqual([]);
  });

  test("is ordered where all that is there is what somebody's script has made for nginx to start with", async () => {
    const stage = await reconcileStage();
    await putCertbotLineage(stage.root, "a.test", issueForTest({ names: ["a.test"], issuer: "a.test" }));
    await rm(join(stage.root, "renewal"), { recursive: true });
    expect(outcomes(await stage.run())).toEqual(["a.test issued"]);
  });

  test("and that nobody wants any more is left as it is", async () => {
    const { stage, ordered } = await spoiled((at) => rm(at("renewal", "b.test.conf")), "a.test");
    stage.pass(100 * DAY);
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["a.test renewed"]);
    expect(pictureOf(report, stage.now()).problems).toEqual([]);
    expect(ordered()).toEqual(["a.test"]);
  });
});

describe("a conf that can't be read, of a certificate that is good,", () => {
  const spoil = (at: (...parts: string[]) => string) => writeFile(at("renewal", "b.test.conf"), "no conf\n");

  test("keeps it served, and is told", async () => {
    const { stage, ordered } = await spoiled(spoil, "a.test");
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["a.test not-due", "b.test failed RENEWAL_CONF_UNREADABLE"]);
    expect(deploys(report)).toEqual(["nginx-1 a.test served", "nginx-1 b.test served"]);
    const [problem] = pictureOf(report, stage.now()).problems;
    expect(problem).toMatchObject({ lineage: "b.test", isUnreached: true, isAlarm: true });
    expect(problem?.message).not.toContain("has no certificate");
    expect(await stage.list()).toHaveLength(2);
    stage.pass(89 * DAY);
    expect(pictureOf(await stage.run(), stage.now()).problems).toMatchObject([{ lineage: "b.test", isAlarm: true }]);
    expect(ordered()).toEqual(["a.test"]);
  });

  test("is told at the start where the settings say how it is renewed, and written anew when it is", async () => {
    const { stage, conf, ordered } = await spoiled(spoil);
    expect(isReached(await stage.run({ trigger: "start" }))).toBe(true);
    expect(stage.told("lineage.failed")).toMatchObject([{ lineage: "b.test", code: "RENEWAL_CONF_UNREADABLE" }]);
    expect(await conf("b.test")).toBe("no conf\n");
    stage.pass(61 * DAY);
    await stage.run();
    expect(ordered().sort()).toEqual(["a.test", "b.test"]);
    expect(await conf("b.test")).toContain("[[webroot_map]]");
    expect(await readFile(join(stage.root, "renewal", "b.test.conf.unreadable"), "utf8")).toBe("no conf\n");
  });
});

describe("what stands in renewal and is no certificate's conf", () => {
  const stray = async (at: (...parts: string[]) => string) => {
    await writeFile(at("renewal", "copy of a.test.conf"), await readFile(at("renewal", "a.test.conf")));
    await mkdir(at("renewal", "dir.conf"));
  };

  test("is named at the start, and is no problem", async () => {
    const { stage } = await spoiled(stray);
    const report = await stage.run({ trigger: "start" });
    expect(outcomes(report)).toEqual(["a.test not-due", "b.test not-due"]);
    expect(pictureOf(report, stage.now()).isWell).toBe(true);
    const at = (name: string) => join(stage.root, "renewal", name);
    expect(stage.told("conf.stray").map(({ remedy }) => remedy)).toEqual([
      `Rename or delete ${at("copy of a.test.conf")}.`,
      `Rename or delete ${at("dir.conf")}.`,
    ]);
    const { strays, unreadable, picture } = await inspect(stage.parts(), { signal: NEVER, withTargets: false });
    expect([strays.length, unreadable.length, picture.isWell]).toEqual([2, 0, true]);
  });

  test.each([
    ["a folder", (at) => mkdir(at("renewal", "c.test.conf")).then(() => undefined)],
    ["a file", async (at) => writeFile(at("archive", "c.test"), "")],
    ["a link that leads nowhere", async (at) => symlink("nowhere", at("archive", "c.test"))],
    [
      "a link to an unmounted disk",
      async (at) => {
        await rm(at("archive"), { recursive: true });
        await symlink("/nowhere", at("archive"));
      },
    ],
  ] satisfies [string, Parameters<typeof spoiled>[0]][])(
    "is found in the way of an order before the CA hears of it: %s",
    async (_, spoil) => {
      const { stage, ordered } = await spoiled(async (at) => {
        await rm(at("live"), { recursive: true });
        await rm(at("renewal", "b.test.conf"));
        await spoil(at);
      }, "c.test");
      const report = await stage.run();
      const failure = report.certificates.find(({ lineage }) => lineage === "c.test")?.failure;
      expect(failure?.code).toBe("STORE_FAILED");
      expect(failure?.message).toMatch(/so nothing was ordered: .*\/(?:archive|renewal)\b/);
      expect(ordered()).toEqual([]);
    },
  );
});

test("a conf's renew_before_expiry counts, whether or not the settings name the certificate, and stays in the conf", async () => {
  const { stage, conf, ordered } = await spoiled(async (at) => {
    for (const name of ["a.test", "b.test"]) {
      const text = await readFile(at("renewal", `${name}.conf`), "utf8");
      await writeFile(at("renewal", `${name}.conf`), `renew_before_expiry = 50 days\n${text}`);
    }
  }, "a.test");
  stage.pass(39 * DAY);
  expect(outcomes(await stage.run())).toEqual(["a.test not-due", "b.test not-due"]);
  stage.pass(2 * DAY);
  const renewed = await stage.run();
  expect(outcomes(renewed)).toEqual(["a.test renewed", "b.test renewed"]);
  const nextAt = renewed.certificates.map((one) => (Number(one.nextAt) - stage.now().getTime()) / DAY);
  expect(nextAt).toEqual([expect.closeTo(40, 3), expect.closeTo(40, 3)]);
  expect(outcomes(await stage.run())).toEqual(["a.test not-due", "b.test not-due"]);
  expect(ordered().sort()).toEqual(["a.test", "b.test"]);
  expect(await conf("b.test")).toContain("renew_before_expiry = 50 days\n");
});

test("what arrives so old that its renew_before_expiry has come already is ordered as rarely as after failures", async () => {
  const stage = await reconcileStage();
  stage.ca.life = (at) => ({
    notBefore: new Date(at.getTime() - 25 * DAY),
    notAfter: new Date(at.getTime() + 65 * DAY),
  });
  await stage.run();
  const conf = join(stage.root, "renewal", "a.test.conf");
  await writeFile(conf, `renew_before_expiry = 80 days\n${await readFile(conf, "utf8")}`);
  expect(outcomes(await stage.run())).toEqual(["a.test renewed CLOCK_WRONG"]);
  expect(outcomes(await stage.run())).toEqual(["a.test held CLOCK_WRONG"]);
  await stage.run();
  expect(stage.ca.orders).toHaveLength(2);
});

describe("a certificate that the settings don't name any more, and whose names nobody can prove,", () => {
  const refuse = (stage: Awaited<ReturnType<typeof reconcileStage>>) => {
    stage.ca.answer = ({ lineage }) => {
      if (lineage === "b.test") throw new CaFailure(undefined, { origin: "proof" });
    };
  };

  test("says in log, report and status how to end that, which ends it", async () => {
    const { stage, ordered } = await spoiled(async () => undefined, "a.test");
    refuse(stage);
    stage.pass(61 * DAY);
    const report = await stage.run();
    const remedy = expect.stringContaining(
      "CERTBOT_DOMAIN doesn't name it: if b.test is no longer needed, delete renewal/b.test.conf.",
    ) as string;
    expect(report.certificates[1]?.failure?.remedy).toEqual(remedy);
    expect(stage.told("lineage.failed")).toMatchObject([{ lineage: "b.test", remedy }]);
    const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: false });
    expect(certificates.map(({ desired }) => desired.isUnnamed ?? false)).toEqual([false, true]);
    stage.pass(40 * DAY);
    expect(pictureOf(await stage.run(), stage.now()).problems).toMatchObject([
      { lineage: "b.test", isAlarm: true, remedy },
    ]);
    await rm(join(stage.root, "renewal", "b.test.conf"));
    const orders = ordered().length;
    const after = await stage.run();
    expect(outcomes(after)).toEqual(["a.test not-due"]);
    expect(pictureOf(after, stage.now()).problems).toEqual([]);
    expect(ordered()).toHaveLength(orders);
  });

  test("is told nothing of it where the settings do name it, or where it is the CA that fails", async () => {
    const { stage } = await spoiled(async () => undefined);
    refuse(stage);
    stage.pass(61 * DAY);
    expect((await stage.run()).certificates[1]?.failure?.remedy).not.toContain("delete");
    stage.set("a.test");
    stage.ca.answer = () => {
      throw new CaFailure(undefined, { origin: "ca-failing" });
    };
    expect((await stage.command()).certificates[1]?.failure?.remedy).not.toContain("delete");
  });
});

describe("a certificate that can't be looked at is not said to be none:", () => {
  test("its files give an error", async () => {
    const { stage } = await spoiled(async () => undefined);
    stage.onDisk = (call) => {
      if (/^readFile \S+\/live\/b\.test/.test(call)) throw Object.assign(new Error("EIO: simulated"), { code: "EIO" });
    };
    const [problem] = pictureOf(await stage.run(), stage.now()).problems;
    expect(problem?.message).toMatch(/^b\.test has no certificate that can be read: .*EIO/);
  });

  test("its state gives one", async () => {
    const { stage } = await spoiled(async () => undefined);
    stage.onDisk = (call) => {
      if (/^readFile \S+\/sidecar\/b\.test\.json/.test(call)) throw Object.assign(new Error("EIO"), { code: "EIO" });
    };
    const [problem] = pictureOf(await stage.run(), stage.now()).problems;
    expect(problem).toMatchObject({
      isAlarm: false,
      message: expect.stringMatching(/^b\.test has no new version: /) as string,
    });
  });
});

test("a conf that can't be written back fails nothing that is good", async () => {
  const { stage, ordered } = await spoiled((at) => rm(at("renewal", "a.test.conf")));
  stage.onDisk = (call) => {
    if (/^open \S+\/renewal\/\S+\.new/.test(call))
      throw Object.assign(new Error("EROFS: simulated"), { code: "EROFS" });
  };
  expect(outcomes(await stage.run())).toEqual(["a.test not-due", "b.test not-due"]);
  expect(stage.told("lineage.failed")).toMatchObject([{ lineage: "a.test", code: "STORE_NOT_WRITABLE" }]);
  expect(ordered()).toEqual([]);
});

test("a folder in the place of a good certificate's conf is named, and not written over", async () => {
  const { stage, ordered } = await spoiled(async (at) => {
    await rm(at("renewal", "a.test.conf"));
    await mkdir(at("renewal", "a.test.conf"));
  });
  expect(outcomes(await stage.run({ trigger: "start" }))).toEqual(["a.test not-due", "b.test not-due"]);
  expect(stage.told("lineage.failed")).toMatchObject([
    {
      lineage: "a.test",
      code: "RENEWAL_CONF_UNREADABLE",
      remedy: `Rename or delete ${join(stage.root, "renewal/a.test.conf")}.`,
    },
  ]);
  expect(ordered()).toEqual([]);
});

test("a conf of which nothing else is left says how to go on", async () => {
  const { stage } = await spoiled(async (at) => {
    for (const folder of ["live", "archive"]) await rm(at(folder, "b.test"), { recursive: true });
    await rm(at("live", ".b.test.1"), { recursive: true });
  }, "a.test");
  const [problem] = pictureOf(await stage.run(), stage.now()).problems;
  expect(problem).toMatchObject({ lineage: "b.test", code: "LINEAGE_BROKEN", isAlarm: true });
  expect(problem?.remedy).toBe(
    "Put its files back, or name it in CERTBOT_DOMAIN; to end it delete renewal/b.test.conf.",
  );
});

test("webroots of single names that the settings overrule are named at the start", async () => {
  const { stage } = await spoiled(async (at) => {
    for (const name of ["a.test", "b.test"]) {
      const conf = at("renewal", `${name}.conf`);
      const text = await readFile(conf, "utf8");
      await writeFile(conf, text.replace(`${name} = /var/www/html`, `${name} = ${at()}`));
    }
  }, "a.test");
  await stage.run({ trigger: "start" });
  expect(stage.told("option.ignored")).toMatchObject([{ lineage: "a.test", option: "[[webroot_map]]" }]);
});
