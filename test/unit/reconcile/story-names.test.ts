import { describe, expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { inspect, isReached } from "../../../src/reconcile/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { putCertbotLineage } from "../../support/lineage-tree.ts";
import {
  CaFailure,
  DAY,
  HOUR,
  last,
  MINUTE,
  outcomes,
  PRODUCTION,
  reconcileStage,
  type ReconcileStage,
} from "../../support/reconcile-stage.ts";

/** A stage whose certificates are served. */
async function servedStage(domains: string) {
  const stage = await reconcileStage({ domains });
  expect(isReached(await stage.run())).toBe(true);
  return stage;
}

/** A day after a change: how often the server was reloaded, the orders, and what is served in the end. */
async function dayAfter(stage: ReconcileStage) {
  const { reloads } = stage.nginx;
  const orders = stage.ca.orders.length;
  const reports = await stage.live(DAY, { everyMs: HOUR });
  expect(isReached(last(reports))).toBe(true);
  return { reloads: stage.nginx.reloads - reloads, orders: stage.ca.orders.length - orders };
}

test("a name that becomes the first of a larger certificate moves there, with one reload", async () => {
  const stage = await servedStage("a.test");
  stage.set("www.a.test,a.test");
  expect(await dayAfter(stage)).toEqual({ reloads: 1, orders: 1 });
  expect(stage.nginx.served()).toEqual(["a.test=www.a.test/1", "www.a.test=www.a.test/1"]);
  expect(await stage.list()).toEqual(["www.a.test www.a.test a.test"]);
});

test("two certificates become one, and one becomes two, with one reload each", async () => {
  const stage = await servedStage("a.test;b.test");
  stage.set("a.test,b.test");
  expect(await dayAfter(stage)).toEqual({ reloads: 1, orders: 1 });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=a.test/2"]);
  stage.set("a.test;b.test");
  expect(await dayAfter(stage)).toEqual({ reloads: 1, orders: 1 });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/3", "b.test=b.test/1"]);
});

test("names that wander in a ring end where they are wanted", async () => {
  const stage = await servedStage("a.test,b.test;c.test");
  stage.set("c.test,b.test;a.test");
  const { reloads, orders } = await dayAfter(stage);
  expect(orders).toBe(2);
  expect(reloads).toBeLessThanOrEqual(2);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=c.test/2", "c.test=c.test/2"]);
});

test("an adopted tree with a.org and a.org-0001 settles: the settings decide who serves", async () => {
  const stage = await reconcileStage({ domains: "a.org,www.a.org" });
  const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + 90 * DAY) };
  await putCertbotLineage(stage.root, "a.org", issueForTest({ names: ["a.org"], ...life }));
  await putCertbotLineage(stage.root, "a.org-0001", issueForTest({ names: ["a.org", "www.a.org"], ...life }));
  expect(await dayAfter(stage)).toEqual({ reloads: 1, orders: 0 });
  expect(stage.nginx.served()).toEqual(["a.org=a.org-0001/1", "www.a.org=a.org-0001/1"]);
  // And through the renewal of both.
  stage.pass(60 * DAY);
  const { reloads } = await dayAfter(stage);
  expect(reloads).toBe(1);
  expect(stage.nginx.served()).toEqual(["a.org=a.org-0001/2", "www.a.org=a.org-0001/2"]);
});

test("two adopted lineages with the very same names: one serves, no reload goes round", async () => {
  const stage = await reconcileStage({ domains: "a.org" });
  const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + 90 * DAY) };
  for (const lineage of ["a.org", "a.org-0001"]) {
    await putCertbotLineage(stage.root, lineage, issueForTest({ names: ["a.org"], ...life }));
  }
  expect(await dayAfter(stage)).toEqual({ reloads: 1, orders: 0 });
  expect(stage.nginx.served()).toEqual(["a.org=a.org/1"]);
});

test("while the order of a split fails, no name loses its certificate; then the new ones are served", async () => {
  const stage = await servedStage("a.test,www.a.test");
  stage.set("a.test;www.a.test");
  stage.ca.answer = ({ lineage }) => {
    if (lineage === "www.a.test") throw new CaFailure();
  };
  await stage.live(DAY, { everyMs: HOUR });
  expect(await stage.list()).toEqual(["a.test a.test www.a.test"]);
  // A server that starts now finds the same.
  stage.nginx.restart();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "www.a.test=a.test/1"]);
  expect(stage.ca.orders.slice(1).every(({ lineage }) => lineage === "www.a.test")).toBe(true);
  stage.ca.answer = () => undefined;
  expect(isReached(last(await stage.live(2 * DAY, { everyMs: HOUR })))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "www.a.test=www.a.test/1"]);
  expect(await stage.list()).toEqual(["a.test a.test", "www.a.test www.a.test"]);
});

test("while the order of a split fails, the undivided certificate is renewed when it is due", async () => {
  const stage = await servedStage("a.test,www.a.test");
  stage.set("a.test;www.a.test");
  stage.ca.answer = ({ lineage }) => {
    if (lineage === "www.a.test") throw new CaFailure();
  };
  stage.pass(61 * DAY);
  await stage.run();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "www.a.test=a.test/2"]);
});

test("while the order of a merge fails, both names keep theirs; then the new one is served", async () => {
  const stage = await servedStage("a.test;b.test");
  stage.set("a.test,b.test");
  stage.ca.answer = ({ names }) => {
    if (names.includes(",")) throw new CaFailure();
  };
  const reports = await stage.live(DAY, { everyMs: HOUR });
  expect(stage.ca.orders).toHaveLength(2 + 4);
  expect(last(reports).deploys.every(({ outcome }) => outcome === "served")).toBe(true);
  expect(await stage.list()).toEqual(["a.test a.test", "b.test b.test"]);
  stage.nginx.restart();
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
  stage.ca.answer = () => undefined;
  expect(isReached(last(await stage.live(2 * DAY, { everyMs: HOUR })))).toBe(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2", "b.test=a.test/2"]);
});

test("a name whose new certificate is there is served with it, though the old one still has it too", async () => {
  const stage = await servedStage("a.test,www.a.test");
  stage.set("a.test;www.a.test");
  stage.ca.answer = ({ lineage }) => {
    if (lineage === "a.test") throw new CaFailure();
  };
  const { reloads } = stage.nginx;
  await stage.live(DAY, { everyMs: HOUR });
  expect(stage.nginx.reloads - reloads).toBe(1);
  expect(await stage.list()).toEqual(["a.test a.test", "www.a.test www.a.test"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "www.a.test=www.a.test/1"]);
});

test("what is looked at agrees with what is deployed, where another certificate has taken a name over", async () => {
  const stage = await servedStage("a.test,www.a.test");
  stage.set("www.a.test");
  await dayAfter(stage);
  const signal = new AbortController().signal;
  const { certificates } = await inspect(stage.parts(), { signal, withTargets: true });
  const found = certificates.flatMap(({ desired, targets }) =>
    targets.map(({ finding }) => `${desired.lineage} ${finding.kind}`),
  );
  expect(found.sort()).toEqual(["a.test served", "www.a.test served"]);
});

describe("a command that wants a certificate itself", () => {
  const wanted = (name: string, ...texts: string[]) => ({ wanted: { name, identifiers: texts.map(parseIdentifier) } });

  test("gets one beside those of the settings, which later runs keep with its names", async () => {
    const stage = await reconcileStage({ domains: "a.test" });
    await stage.run();
    const order = { directoryUrl: PRODUCTION, keyType: "rsa-2048" } as const;
    expect(outcomes(await stage.command({ only: wanted("b.test", "b.test", "c.test"), order }))).toEqual([
      "b.test issued",
    ]);
    stage.pass(61 * DAY);
    expect(outcomes(await stage.run())).toEqual(["a.test renewed", "b.test renewed"]);
    expect(stage.ca.orders.slice(1).map(({ names, keyType }) => `${names} ${keyType}`)).toEqual([
      "b.test,c.test rsa-2048",
      "a.test ecdsa-p256",
      "b.test,c.test rsa-2048",
    ]);
  });

  test("is refused other names for one that the settings name: each check would swap them back", async () => {
    const stage = await reconcileStage({ domains: "a.test" });
    await stage.run();
    const report = await stage.command({ only: wanted("a.test", "a.test", "b.test") });
    expect(report).toMatchObject({ failure: { code: "NAMES_OF_SETTINGS" }, isUsageProblem: true });
    expect(stage.ca.orders).toHaveLength(1);
    expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  });

  test("means the settings' certificate where its names are the same, and looks at that one alone", async () => {
    const stage = await reconcileStage({ domains: "a.test,b.test;c.test" });
    expect(outcomes(await stage.command({ only: wanted("b.test", "b.test", "a.test") }))).toEqual(["a.test issued"]);
  });
});

test("status says of which names the next order is, when those on disk have their turn", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(61 * DAY);
  stage.set("a.test,b.test");
  stage.ca.answer = ({ names }) => {
    if (names.includes("b.test")) throw new CaFailure(undefined, { origin: "proof" });
  };
  await stage.run();
  const { certificates } = await inspect(stage.parts(), { signal: new AbortController().signal, withTargets: false });
  expect(certificates[0]?.decision).toMatchObject({ kind: "hold", because: "lifetime-left" });
  stage.pass(2 * MINUTE);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed", because: "lifetime-left" }]);
});
