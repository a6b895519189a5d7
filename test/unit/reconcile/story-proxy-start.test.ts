import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/system/index.ts";
import { createDeployment } from "../../../src/target/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { answer, startFakeEngine } from "../../support/fake-engine.ts";
import { MINUTE, reconcileStage } from "../../support/reconcile-stage.ts";

/** A daemon of this age, before an engine whose proxy refuses all searches until a moment of its life; what came of each check, and when. */
async function liveBehindProxy({ hasRulesAfterMs, liveMs }: { hasRulesAfterMs: number; liveMs: number }) {
  const stage = await reconcileStage();
  await stage.run();
  const bornAtMs = stage.now().getTime();
  const ageMs = () => stage.now().getTime() - bornAtMs;
  const engine = await startFakeEngine((_path, response) => {
    if (ageMs() < hasRulesAfterMs) answer(response, { message: "no rule" }, 403);
    else answer(response, []);
  });
  onTestFinished(() => engine.close());
  const { targets } = createDeployment({
    docker: engine.address,
    service: "nginx",
    project: "shop",
    clock: systemClock,
    log: collectLog(),
    random: Math.random,
  });
  const found: string[] = [];
  stage.find = async (signal) => {
    const at = Math.round(ageMs() / 1000);
    const all = await targets.find(signal);
    found.push(`${at} s: ${all.missing.map(({ failure }) => failure.code).join()}`);
    return all;
  };
  await stage.live(liveMs);
  return found;
}

test("an engine whose proxy has no rules yet is asked again within the first minute, and as seldom as ever after it", async () => {
  expect(await liveBehindProxy({ hasRulesAfterMs: 15_000, liveMs: 15 * MINUTE })).toEqual([
    "0 s: DOCKER_DENIED",
    "5 s: DOCKER_DENIED",
    "10 s: DOCKER_DENIED",
    // From here on somebody tells us of a start.
    "20 s: TARGET_NOT_FOUND",
    "620 s: TARGET_NOT_FOUND",
  ]);
  expect(await liveBehindProxy({ hasRulesAfterMs: MINUTE * 60, liveMs: 15 * MINUTE })).toEqual(
    [0, 5, 10, 20, 40, 80, 680].map((second) => `${second} s: DOCKER_DENIED`),
  );
});

test("a clock that was set back to before the start makes nobody ask more often", async () => {
  const stage = await reconcileStage();
  await stage.run();
  let looks = 0;
  stage.find = async () => {
    looks += 1;
    if (looks === 1) stage.pass(-60 * MINUTE);
    const failure = { code: "DOCKER_DENIED", message: "refused", remedy: "Allow it." };
    return { targets: [], off: [], missing: [{ name: "nginx", failure, isUntold: true }] };
  };
  await stage.live(60 * MINUTE);
  expect(looks).toBeLessThan(20);
});
