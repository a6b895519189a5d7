import { expect, test } from "vitest";
import { PlainError } from "../../../src/certificate/index.ts";
import { inspect, isReached, type RunReport, type Target } from "../../../src/reconcile/index.ts";
import { reconcileStage } from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const NEVER = new AbortController().signal;

const deploys = ({ deploys: all }: RunReport) =>
  all.map(({ target, lineage, outcome }) => `${target} ${lineage} ${outcome}`);

test("a label that names no certificate is told, by a run and by status, and what it names beside is served", async () => {
  const stage = await reconcileStage({ domains: "a.test,www.a.test" });
  const named = ["www.a.test", "a.test"];
  const web: Target = Object.assign(new TestTarget(stage.root, "web-1"), {
    named,
    wants: (one: string) => named.includes(one),
  });
  stage.targets = [stage.nginx, web];
  const failure = {
    code: "TARGET_CERTIFICATE_UNKNOWN",
    message: expect.stringContaining("web-1 is to serve www.a.test, as its label cert-sidecar.certificates says"),
    remedy: expect.stringContaining("a.test"),
  };
  const report = await stage.run();
  expect(deploys(report)).toEqual(["nginx-1 a.test deployed", "web-1 a.test deployed"]);
  expect(report.missing).toMatchObject([{ name: "web-1", failure }]);
  expect(isReached(report)).toBe(false);
  const { found, picture } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
  expect(found?.missing).toMatchObject([{ name: "web-1", failure }]);
  expect(picture.problems).toHaveLength(1);
  // What is wanted may be among what is wrong in the settings.
  stage.policy = {
    ...stage.policy,
    settingsProblem: new PlainError({ code: "X", message: "a mistake", remedy: "Mend it." }),
  };
  expect((await stage.run()).missing).toEqual([]);
  stage.policy = { ...stage.policy, settingsProblem: undefined };
  named.shift();
  expect(isReached(await stage.run())).toBe(true);
});
