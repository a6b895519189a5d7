import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { newVersion, putCertbotLineage, SETTINGS } from "../../support/lineage-tree.ts";
import {
  CaFailure,
  DAY,
  deploys,
  HOUR,
  last,
  outcomes,
  PRODUCTION,
  reconcileStage,
  STAGING,
} from "../../support/reconcile-stage.ts";

/** a.test in the settings and b.test in the tree alone, both of production, and served; they are due after `ageMs`. */
async function productionStage(ageMs = 0) {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  expect(isReached(await stage.run())).toBe(true);
  stage.set("a.test");
  stage.pass(ageMs);
  return stage;
}

test.each([
  { order: { directoryUrl: STAGING }, isForced: false },
  { order: { directoryUrl: STAGING }, isForced: true },
])("update-cert --staging (forced: $isForced) orders nothing in place of a production certificate", async (request) => {
  for (const ageMs of [0, 61 * DAY]) {
    const stage = await productionStage(ageMs);
    const report = await stage.command(request);
    expect(stage.ca.orders).toHaveLength(2);
    expect(outcomes(report)).toEqual(["a.test failed STAGING_REFUSED", "b.test failed STAGING_REFUSED"]);
    expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
  }
});

test("with --staging in the settings, --force-renewal spends nothing at production either", async () => {
  const stage = await productionStage();
  stage.set("a.test", { directoryUrl: STAGING });
  const report = await stage.command({ isForced: true });
  expect(stage.ca.orders).toHaveLength(2);
  expect(outcomes(report)).toEqual(["a.test failed STAGING_REFUSED", "b.test failed STAGING_REFUSED"]);
});

test("with --staging in the settings, a production certificate is renewed at production when it is due", async () => {
  const stage = await productionStage();
  stage.set("a.test", { directoryUrl: STAGING });
  await stage.live(DAY, { everyMs: 6 * HOUR });
  expect(stage.ca.orders).toHaveLength(2);
  stage.pass(60 * DAY);
  expect(isReached(last(await stage.live(DAY, { everyMs: 6 * HOUR })))).toBe(true);
  expect(stage.ca.orders.slice(2).map(({ directoryUrl }) => directoryUrl)).toEqual([PRODUCTION, PRODUCTION]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=b.test/2"]);
});

describe.each(["gone", "unreadable"])(
  "with --staging in the settings and the conf %s, a production certificate",
  (how) => {
    test.each([{ trigger: "command", isForced: true }, {}] as const)("is kept by a run of %j", async (request) => {
      for (const ageMs of [0, 61 * DAY]) {
        const stage = await productionStage(ageMs);
        stage.set("a.test;b.test", { directoryUrl: STAGING });
        const conf = join(stage.root, "renewal/a.test.conf");
        await (how === "gone" ? rm(conf) : writeFile(conf, "no conf\n"));
        const report = await stage.run(request);
        expect(stage.ca.orders.filter(({ directoryUrl }) => directoryUrl === STAGING)).toEqual([]);
        expect(outcomes(report)[0]).toBe(
          ageMs > 0 || "isForced" in request ? "a.test held STAGING_REFUSED" : "a.test not-due",
        );
        expect(stage.nginx.served()[0]).toBe("a.test=a.test/1");
      }
    });
  },
);

test("a staging certificate is replaced at once when the settings name production", async () => {
  const stage = await reconcileStage();
  expect(outcomes(await stage.command({ order: { directoryUrl: STAGING } }))).toEqual(["a.test issued"]);
  expect(stage.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([STAGING]);
  await stage.run();
  expect(stage.ca.orders.map(({ directoryUrl }) => directoryUrl)).toEqual([STAGING, PRODUCTION]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
});

test("a lineage with a wildcard is never ordered, and keeps nobody from the others", async () => {
  const stage = await reconcileStage();
  const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + 90 * DAY) };
  await putCertbotLineage(stage.root, "w.test", issueForTest({ names: ["*.w.test", "w.test"], ...life }));
  expect(isReached(await stage.run())).toBe(true);
  expect(stage.nginx.served()).toEqual(["*.w.test=w.test/1", "a.test=a.test/1", "w.test=w.test/1"]);
  stage.pass(61 * DAY);
  const report = last(await stage.live(DAY, { everyMs: 6 * HOUR }));
  expect(outcomes(report)).toEqual(["a.test not-due", "w.test failed CHALLENGE_IMPOSSIBLE"]);
  expect(outcomes(await stage.command({ isForced: true }))).toEqual([
    "a.test renewed",
    "w.test failed CHALLENGE_IMPOSSIBLE",
  ]);
  expect(stage.ca.orders.map(({ lineage }) => lineage)).toEqual(["a.test", "a.test", "a.test"]);
  expect(stage.nginx.served()).toEqual(["*.w.test=w.test/1", "a.test=a.test/3", "w.test=w.test/1"]);
});

test("autorenew = False: left alone on disk when it is due, but served and looked after", async () => {
  const stage = await reconcileStage();
  const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + 90 * DAY) };
  const settings = { ...SETTINGS, autorenew: false };
  await stage.parts().store.install(newVersion("m.test", { ...life, settings }), stage.now());
  await stage.run();
  stage.pass(61 * DAY);
  const report = await stage.run();
  expect(outcomes(report)).toEqual(["a.test renewed", "m.test left-alone"]);
  expect(deploys(report).sort()).toEqual(["nginx-1 a.test deployed", "nginx-1 m.test served"]);
  // A server that has lost it gets it again.
  await stage.parts().store.install(newVersion("m.test", { ...life, settings }), stage.now());
  expect(deploys(await stage.run()).sort()).toEqual(["nginx-1 a.test served", "nginx-1 m.test deployed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "m.test=m.test/2"]);
});

test("--cert-name touches that certificate alone", async () => {
  const stage = await productionStage(61 * DAY);
  const report = await stage.command({ only: { lineage: "b.test" } });
  expect(outcomes(report)).toEqual(["b.test renewed"]);
  expect(deploys(report)).toEqual(["nginx-1 b.test deployed"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
  expect(stage.ca.orders.slice(2).map(({ lineage }) => lineage)).toEqual(["b.test"]);
});

test("--cert-name with a name that there isn't does nothing, and names those there are", async () => {
  const stage = await productionStage(61 * DAY);
  const before = await stage.treeHash();
  const { failure } = await stage.command({ only: { lineage: "c.test" } });
  expect(failure).toMatchObject({ code: "CERT_NAME_UNKNOWN", remedy: "Use one of: a.test, b.test." });
  expect(await stage.treeHash()).toBe(before);
});

test.each(["works", "fails"])("a dry run that %s changes nothing on disk, nor at the target", async (word) => {
  const stage = await productionStage(61 * DAY);
  stage.set("a.test,www.a.test");
  stage.ca.answer = () => {
    if (word === "fails") throw new CaFailure(new Date(stage.now().getTime() + 7 * DAY));
  };
  const before = await stage.treeHash();
  const { reloads, checks } = stage.nginx;
  const report = await stage.command({ isRehearsal: true });
  expect(report.certificates.map(({ outcome }) => outcome)).toEqual(
    word === "works" ? ["rehearsed", "rehearsed"] : ["failed", "failed"],
  );
  expect(await stage.treeHash()).toBe(before);
  expect([stage.nginx.reloads, stage.nginx.checks]).toEqual([reloads, checks]);
  const rehearsals = stage.ca.orders.slice(2);
  expect(rehearsals.map(({ directoryUrl, account }) => `${directoryUrl} ${account}`)).toEqual(
    Array.from({ length: 2 }, () => `${STAGING} throw-away`),
  );
});

test("what a taken-over tree relies on and we don't do is told once, at the start", async () => {
  const stage = await reconcileStage({ domains: "a.test" });
  await stage.run();
  const conf = join(stage.root, "renewal/a.test.conf");
  const text = await readFile(conf, "utf8");
  await writeFile(conf, text.replace("[renewalparams]\n", "[renewalparams]\nrenew_hook = systemctl reload dovecot\n"));
  await stage.run({ trigger: "start" });
  await stage.run();
  expect(stage.told("option.ignored")).toEqual([
    expect.objectContaining({ lineage: "a.test", option: "renew_hook = systemctl reload dovecot" }),
  ]);
});

test("a production certificate that stays beside staging, with production as the fallback, has the pauses of a failure", async () => {
  const stage = await productionStage();
  stage.set("a.test", { directoryUrl: STAGING, fallbackDirectoryUrl: PRODUCTION });
  stage.pass(60 * DAY);
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "proof" });
  };
  await stage.live(DAY);
  // Two certificates, each at once and after 1, 10 and 100 minutes.
  expect(stage.ca.orders.slice(2)).toHaveLength(8);
});
