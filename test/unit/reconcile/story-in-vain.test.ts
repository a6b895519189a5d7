import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { DAY, HOUR, last, MINUTE, reconcileStage } from "../../support/reconcile-stage.ts";

// Each reload may leave workers behind that live as long as their connections do: it must not go on and on for nothing.

test("where reloads don't help they become rare, and each ten minutes it is seen whether somebody else has mended it", async () => {
  const stage = await reconcileStage();
  const mendedMs = stage.now().getTime() + DAY;
  let seenMs: number | undefined;
  stage.nginx.hides = () => {
    const nowMs = stage.now().getTime();
    if (nowMs >= mendedMs) seenMs ??= nowMs;
    return seenMs === undefined;
  };
  expect(isReached(last(await stage.live(DAY + HOUR, { everyMs: 2 * DAY })))).toBe(true);
  expect(stage.nginx.reloads).toBeGreaterThan(10);
  expect(stage.nginx.reloads).toBeLessThan(20);
  expect(Number(seenMs) - mendedMs).toBeLessThanOrEqual(11 * MINUTE);
});

test("where a reload can't be made, or nginx refuses its configuration, it is tried each ten minutes as before", async () => {
  const stage = await reconcileStage();
  let tries = 0;
  stage.nginx.before = (doing) => {
    if (doing !== "apply") return;
    tries += 1;
    throw new Error("no reload");
  };
  await stage.live(DAY);
  expect(tries).toBeGreaterThan(100);
  stage.nginx.before = () => undefined;
  expect(isReached(last(await stage.live(HOUR)))).toBe(true);
});
