import { describe, expect, test } from "vitest";
import { inspect } from "../../../src/reconcile/index.ts";
import { toEngineError } from "../../../src/target/docker/engine-errors.ts";
import { DAY, deploys, MINUTE, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";

const NEVER = new AbortController().signal;

/** A certificate that is served, and has become due. */
async function dueStage(): Promise<ReconcileStage> {
  const stage = await reconcileStage();
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
  stage.pass(61 * DAY);
  return stage;
}

/** Lets the first look after a reload find the new version, and the later ones `hides`, by the time since then. */
function hideAfterReload(stage: ReconcileStage, hides: (sinceMs: number) => boolean): void {
  const { reloads } = stage.nginx;
  let seenAtMs: number | undefined;
  stage.nginx.hides = () => {
    if (stage.nginx.reloads === reloads) return false;
    const nowMs = stage.now().getTime();
    if (seenAtMs !== undefined) return hides(nowMs - seenAtMs);
    seenAtMs = nowMs;
    return false;
  };
}

describe("a reloaded target that was seen to serve the new version", () => {
  test("is looked at a second time, a moment later: what it serves then is what counts", async () => {
    const stage = await dueStage();
    hideAfterReload(stage, (sinceMs) => sinceMs >= 25);
    const report = await stage.run();
    expect(deploys(report)).toEqual(["nginx-1 a.test failed"]);
    expect(report.deploys[0]?.failure?.code).toBe("TARGET_NOT_SERVED");
    expect(stage.told("target.served")).toHaveLength(1);
    stage.nginx.hides = () => false;
    expect(deploys(await stage.command())).toEqual(["nginx-1 a.test served"]);
    expect(stage.told("target.served")).toHaveLength(2);
  });

  test("may let an old worker answer once more, for a second at most", async () => {
    const stage = await dueStage();
    hideAfterReload(stage, (sinceMs) => sinceMs < 900);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
  });
});

describe("a target that serves what it should, but is just starting,", () => {
  /** How long it takes until it answers, and what comes of it. */
  async function restart(trigger: "start" | "target-started" | "schedule", startsInMs: number) {
    const stage = await dueStage();
    stage.pass(-60 * DAY);
    const startedAtMs = stage.now().getTime();
    stage.nginx.hides = () => stage.now().getTime() < startedAtMs + startsInMs;
    const { reloads } = stage.nginx;
    const report = await stage.run({ trigger });
    return { outcome: deploys(report), reloads: stage.nginx.reloads - reloads };
  }

  test.each(["start", "target-started"] as const)("is not reloaded within three seconds (%s)", async (trigger) => {
    expect(await restart(trigger, 2500)).toEqual({ outcome: ["nginx-1 a.test served"], reloads: 0 });
  });

  test("is reloaded after these", async () => {
    expect(await restart("target-started", 5000)).toEqual({ outcome: ["nginx-1 a.test deployed"], reloads: 1 });
  });

  test("has its time once, however many certificates it has", async () => {
    const stage = await reconcileStage({ domains: Array.from({ length: 12 }, (_, n) => `n${n}.test`).join(";") });
    await stage.run();
    stage.nginx.hides = () => stage.nginx.reloads < 2;
    const startedAtMs = stage.now().getTime();
    const reloadedAtMs = new Promise<number>((resolve) => {
      stage.nginx.before = (doing) => (doing === "apply" ? resolve(stage.now().getTime()) : undefined);
    });
    await stage.run({ trigger: "start" });
    expect((await reloadedAtMs) - startedAtMs).toBeLessThan(4000);
  });

  test("has no time where nobody knows of a start", async () => {
    expect(await restart("schedule", 1000)).toEqual({ outcome: ["nginx-1 a.test deployed"], reloads: 1 });
  });
});

test("a version that was just put on disk is deployed at once, though its target may be starting", async () => {
  const stage = await reconcileStage();
  const startedAtMs = stage.now().getTime();
  expect(deploys(await stage.run({ trigger: "start" }))).toEqual(["nginx-1 a.test deployed"]);
  expect(stage.now().getTime() - startedAtMs).toBeLessThan(3000);
});

test.each(["check", "apply"] as const)(
  "a target whose %s can't be done is told, and tried again after 1 and 10 minutes, until it serves",
  async (broken) => {
    const stage = await dueStage();
    const { reloads } = stage.nginx;
    stage.nginx.before = (doing) => {
      if (doing === broken) throw new Error("the container has stopped");
    };
    for (const minutes of [1, 10, 10]) {
      const report = await stage.run();
      expect(deploys(report)).toEqual(["nginx-1 a.test failed"]);
      expect(report.deploys[0]?.nextAt).toEqual(new Date(stage.now().getTime() + minutes * MINUTE));
      expect(deploys(await stage.run())).toEqual(["nginx-1 a.test held"]);
      stage.pass(minutes * MINUTE);
    }
    expect([stage.nginx.reloads, stage.nginx.served()]).toEqual([reloads, ["a.test=a.test/1"]]);
    stage.nginx.before = () => undefined;
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
  },
);

test("a target that serves a version again is waited for as for the first time when it fails the next time", async () => {
  const stage = await dueStage();
  stage.pass(-60 * DAY);
  for (let count = 0; count < 2; count += 1) {
    stage.nginx.before = () => {
      throw new Error("the container has stopped");
    };
    stage.nginx.hides = () => true;
    const [failed] = (await stage.run()).deploys;
    expect(failed).toMatchObject({ outcome: "failed", nextAt: new Date(stage.now().getTime() + MINUTE) });
    stage.nginx.hides = () => false;
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served"]);
  }
});

test("what has to wait is the version that was tried: one that comes after it is deployed at once", async () => {
  const stage = await dueStage();
  stage.nginx.before = () => {
    throw new Error("the container has stopped");
  };
  for (let tries = 0; tries < 2; tries += 1) {
    await stage.run();
    stage.pass(MINUTE);
  }
  stage.nginx.before = () => undefined;
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test held"]);
  stage.set("a.test,www.a.test");
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
});

test("what has to wait by a clock that has been set back since is tried at once", async () => {
  const stage = await dueStage();
  stage.nginx.before = () => {
    throw new Error("the container has stopped");
  };
  await stage.run();
  stage.nginx.before = () => undefined;
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test held"]);
  stage.pass(-DAY);
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
});

test("a clock that is set back again and again doesn't keep us looking at a target for ever", async () => {
  const stage = await dueStage();
  let looks = 0;
  stage.nginx.hides = () => {
    looks += 1;
    stage.pass(-1000);
    if (looks > 1000) throw new Error("looks for ever");
    return true;
  };
  expect(deploys(await stage.run())).toEqual(["nginx-1 a.test failed"]);
  expect(looks).toBeLessThan(100);
});

test("what is looked at says of a target that is behind why it couldn't be told, and what to do about that", async () => {
  const stage = await dueStage();
  const request = { endpoint: "tcp://socket-proxy:2375", doing: 'run "nginx -t" in nginx-1' };
  stage.nginx.before = () => {
    throw toEngineError(request, Object.assign(new Error("forbidden"), { statusCode: 403 }));
  };
  const look = async () => {
    const { picture, certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
    return { ...certificates[0]?.targets[0]?.finding, problems: picture.problems.map(({ remedy }) => remedy) };
  };
  await stage.run();
  const seen = await look();
  const said =
    /^another one for a\.test; the last try to deploy it failed: could not run "nginx -t" in nginx-1: .* refuses it: HTTP 403/;
  expect(seen).toMatchObject({ kind: "not-served", message: expect.stringMatching(said) });
  const remedy = expect.stringMatching(/^Let the socket proxy allow it, by the rules in docs\/examples\/socket-proxy/);
  expect(seen).toMatchObject({ remedy, problems: [remedy] });
  // What stood in the way of another version says nothing of this one.
  stage.nginx.before = () => undefined;
  stage.nginx.hides = () => true;
  await stage.command({ isForced: true });
  expect(await look()).toMatchObject({ message: "another one for all its names", remedy: "Look." });
});
