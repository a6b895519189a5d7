import { expect, test } from "vitest";
import { inspect, isReached, type ServedCertificate, type Target } from "../../../src/reconcile/index.ts";
import { DAY, deploys, HOUR, reconcileStage } from "../../support/reconcile-stage.ts";

const NEVER = new AbortController().signal;

/** As HAProxy: it serves what it was given, by name; `named` are the certificates that its label names. */
function givenTarget(name: string, ...named: readonly string[]) {
  const serves = new Map<string, string>();
  const take = ({ identifiers, fingerprint }: ServedCertificate) =>
    identifiers.forEach(({ value }) => serves.set(value, fingerprint));
  const target: Target = {
    name,
    named: named.length > 0 ? named : undefined,
    wants: (lineage) => named.length === 0 || named.includes(lineage),
    tlsCheck: async ({ identifiers, fingerprint }) =>
      identifiers.every(({ value }) => serves.get(value) === fingerprint)
        ? { kind: "served" }
        : { kind: "not-served", message: "another one", remedy: "Look." },
    check: async () => undefined,
    apply: async (behind) => {
      behind.forEach(take);
      return new Map();
    },
  };
  return { target, names: () => [...serves.keys()].sort() };
}

test("a target for one certificate serves all its names with it, though another certificate has some of them, too", async () => {
  const stage = await reconcileStage({ domains: "a.test,b.test;c.test,b.test;b.test" });
  const [all, web, mail] = [givenTarget("all"), givenTarget("web", "c.test"), givenTarget("mail", "b.test")];
  stage.targets = [all, web, mail].map(({ target }) => target);
  const report = await stage.run();
  expect(isReached(report)).toBe(true);
  expect(deploys(report)).toEqual([
    "all a.test deployed",
    "all c.test deployed",
    "web c.test deployed",
    "mail b.test deployed",
  ]);
  expect([all.names(), web.names(), mail.names()]).toEqual([
    ["a.test", "b.test", "c.test"],
    ["b.test", "c.test"],
    ["b.test"],
  ]);
  const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
  expect(
    certificates.flatMap(({ desired, targets }) =>
      targets.map(({ name, finding }) => `${name} ${desired.lineage} ${finding.kind}`),
    ),
  ).toEqual(["all a.test served", "all c.test served", "web c.test served", "mail b.test served"]);
});

test("servers whose blocks are written for all certificates together serve a name with the same one everywhere", async () => {
  const stage = await reconcileStage({ domains: "a.test,b.test;c.test,b.test;b.test" });
  const [web, mail] = [givenTarget("nginx-1", "c.test"), givenTarget("nginx-2", "b.test")];
  stage.targets = [web, mail].map(({ target }) => ({ ...target, sharesNames: true }));
  expect(deploys(await stage.run())).toEqual(["nginx-1 c.test deployed", "nginx-2 b.test deployed"]);
  expect([web.names(), mail.names()]).toEqual([["c.test"], ["b.test"]]);
});

test("an nginx that reads a certificate all of whose names another one has is reloaded for its new version, and once", async () => {
  const stage = await reconcileStage({ domains: "a.test,b.test" });
  await stage.run();
  stage.pass(30 * DAY);
  // As one for each kind of key in one server of the operator's.
  stage.set("a.test,b.test;b.test");
  const reloads = stage.nginx.reloads;
  const report = await stage.run();
  expect(report.deploys).toEqual([
    { target: "nginx-1", lineage: "a.test", outcome: "served" },
    { target: "nginx-1", lineage: "b.test", outcome: "deployed", isUnseen: true },
  ]);
  expect(stage.nginx.reloads).toBe(reloads + 1);
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "nginx-1 b.test served"]);
  expect(stage.nginx.reloads).toBe(reloads + 1);
  stage.nginx.before = () => Promise.reject(new Error("no reload"));
  stage.pass(61 * DAY);
  await stage.run();
  stage.nginx.before = () => undefined;
  await stage.live(HOUR);
  expect(stage.told("target.told").map(({ lineage }) => lineage)).toEqual(["b.test", "b.test"]);
});
