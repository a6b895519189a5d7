import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PlainError } from "../../../src/certificate/index.ts";
import { isReached, type Target, type Version, type Whole } from "../../../src/reconcile/index.ts";
import { DAY, failing, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";

/** What the target was given to apply and to settle by each run: `<these> of <certificates> of <lineages>`. */
function settling({ nginx }: ReconcileStage): string[] {
  const told: string[] = [];
  const tell = (word: string, some: readonly Version[], whole?: Whole) => {
    const names = [some, whole?.certificates ?? []].map((list) => list.map(({ lineage }) => lineage));
    const lists = [...names, [...(whole?.lineages ?? [])]].map((list) => [...new Set(list)].sort().join(","));
    told.push(`${word} ${lists.join(" of ")}`);
  };
  const target: Target = nginx;
  const apply = target.apply.bind(nginx);
  target.apply = (behind, signal, whole) => {
    tell("apply", behind, whole);
    return apply(behind, signal);
  };
  target.settle = async (served, _, whole) => tell("settle", served, whole);
  return told;
}

test("a target settles what it serves once nothing is behind, and knows the whole also where a run is about one", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  const told = settling(stage);
  expect(isReached(await stage.run())).toBe(true);
  expect(told.splice(0)).toEqual(["apply a.test,b.test of a.test,b.test of a.test,b.test"]);
  await stage.run();
  await stage.command({ only: { lineage: "a.test" } });
  expect(told).toEqual([
    "settle a.test,b.test of a.test,b.test of a.test,b.test",
    "settle a.test of a.test,b.test of a.test,b.test",
  ]);
});

test("what is on disk or wanted in no good state is no certificate to serve, and yet not gone", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test;c.test" });
  await stage.run();
  const told = settling(stage);
  await rm(join(stage.root, "renewal", "b.test.conf"));
  await rm(join(stage.root, "archive", "c.test"), { recursive: true });
  stage.ca.answer = failing;
  stage.set("a.test;d.test");
  await stage.run();
  expect(told.at(-1)).toBe("settle a.test of a.test of a.test,b.test,c.test,d.test");
});

test("what can't be settled is told, and changes nothing of what is served", async () => {
  const stage = await reconcileStage();
  await stage.run();
  const failure = { code: "TARGET_FOLDER_UNUSABLE", message: "full", remedy: "Empty it." };
  const target: Target = stage.nginx;
  target.settle = () => Promise.reject(new PlainError(failure));
  stage.pass(DAY);
  const report = await stage.run();
  expect(isReached(report)).toBe(true);
  expect(report.deploys).toMatchObject([{ outcome: "served" }]);
  expect(stage.told("target.unsettled")).toEqual([{ target: "nginx-1", ...failure }]);
});
