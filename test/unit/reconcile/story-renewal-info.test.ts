import { expect, test } from "vitest";
import type { RenewalInfoAnswer } from "../../../src/certificate/index.ts";
import { CaFailure, DAY, HOUR, last, MINUTE, outcomes, reconcileStage } from "../../support/reconcile-stage.ts";

const LATER = 365 * DAY;
// How many certificates a run is at work on at the same time.
const AT_ONCE = 4;

/** A CA that suggests a window, in milliseconds from the certificate's beginning, and wants to be asked each six hours. */
async function suggestingStage({ from, to, lifeMs = 90 * DAY }: { from: number; to: number; lifeMs?: number }) {
  const stage = await reconcileStage({ lifeMs });
  const began = new Map<string, number>();
  let window = { from, to };
  stage.ca.suggestion = (_, certificateId): RenewalInfoAnswer => {
    const now = stage.now().getTime();
    const start = began.get(certificateId) ?? now;
    began.set(certificateId, start);
    return {
      kind: "window",
      startAt: new Date(start + window.from),
      endAt: new Date(start + window.to),
      explanationUrl: window.from < 0 ? "https://ca.test/incident" : undefined,
      askAgainAt: new Date(now + 6 * HOUR),
    };
  };
  const move = (moved: { from: number; to: number }) => {
    window = moved;
  };
  return { stage, move };
}

test("renews at the moment drawn in the CA's window, and names the certificate that it replaces", async () => {
  const { stage } = await suggestingStage({ from: 20 * DAY, to: 22 * DAY });
  await stage.live(40 * DAY, { everyMs: 12 * HOUR });
  const [first, second, ...others] = stage.ca.orders;
  expect(others).toEqual([]);
  expect(first?.replaces).toBeUndefined();
  expect(second?.replaces).toBe(stage.ca.questions[0]?.certificateId);
  expect((second?.at.getTime() ?? 0) - (first?.at.getTime() ?? 0)).toBeGreaterThanOrEqual(21 * DAY);
  expect((second?.at.getTime() ?? 0) - (first?.at.getTime() ?? 0)).toBeLessThan(21 * DAY + MINUTE);
  expect(stage.told("lineage.renewed")[0]?.["because"]).toBe("renewal-info");
});

test("a window that moves into the past by a mass revocation renews at the next question, and says why", async () => {
  const { stage, move } = await suggestingStage({ from: 60 * DAY, to: 62 * DAY });
  await stage.live(5 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(1);
  move({ from: -2 * HOUR, to: -HOUR });
  const movedAt = stage.now().getTime();
  // The replacement gets an ordinary window again.
  stage.ca.answer = () => move({ from: 60 * DAY, to: 62 * DAY });
  await stage.live(2 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(2);
  expect(stage.ca.orders[1]?.at.getTime()).toBeLessThanOrEqual(movedAt + 6 * HOUR + MINUTE);
  const [told] = stage.log.lines.filter(({ event, level }) => event === "renewal-info.changed" && level === "warn");
  expect(told?.fields["explanationUrl"]).toBe("https://ca.test/incident");
});

test("a CA that suggests to renew each new certificate at once is asked by the back-off's steps, not each second", async () => {
  const { stage } = await suggestingStage({ from: -2 * HOUR, to: -HOUR });
  const reports = await stage.live(2 * DAY, { everyMs: 2 * HOUR });
  expect(stage.gaps()).toEqual([0, 1, 10, 100, 24 * 60]);
  expect(outcomes(last(reports))).toEqual(["a.test held RENEWAL_INFO_HASTY"]);
});

test("a suggestion beyond the end of the life is none", async () => {
  const { stage } = await suggestingStage({ from: LATER, to: LATER + DAY });
  await stage.run();
  stage.pass(59 * DAY);
  await stage.live(2 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(2);
  const at = (stage.ca.orders[1]?.at.getTime() ?? 0) - (stage.ca.orders[0]?.at.getTime() ?? 0);
  expect(at / DAY).toBeCloseTo(60, 2);
});

test("asks when the CA wants to be asked, over restarts too, and not after the certificate has expired", async () => {
  const { stage } = await suggestingStage({ from: 60 * DAY, to: 62 * DAY });
  await stage.run();
  await stage.run();
  const before = stage.ca.questions.length;
  for (let start = 0; start < 10; start += 1) {
    await stage.run({ trigger: "start" });
    stage.pass(30 * MINUTE);
  }
  expect(stage.ca.questions).toHaveLength(before);
  stage.pass(2 * HOUR);
  await stage.run();
  expect(stage.ca.questions).toHaveLength(before + 1);
  stage.pass(100 * DAY);
  stage.ca.answer = () => {
    throw new CaFailure();
  };
  await stage.live(2 * DAY, { everyMs: 6 * HOUR });
  expect(stage.ca.questions).toHaveLength(before + 1);
});

test("a CA that doesn't answer the questions at hand isn't asked for the other certificates in the same run", async () => {
  const domains = Array.from({ length: 40 }, (_, n) => `${n}.test`).join(";");
  const stage = await reconcileStage({ domains });
  await stage.run();
  stage.ca.suggestion = () => ({ kind: "temporary", reason: "timeout" });
  await stage.run();
  expect(stage.ca.questions.length).toBeLessThanOrEqual(AT_ONCE);
  expect(stage.told("renewal-info.failed").map(({ lineage }) => lineage)).toHaveLength(40);
});

test("without an answer the share of the life counts, and an error keeps the moment that is known", async () => {
  const { stage } = await suggestingStage({ from: 20 * DAY, to: 22 * DAY });
  await stage.live(DAY);
  stage.ca.suggestion = () => ({ kind: "long-term", reason: "HTML" });
  await stage.live(25 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(2);
  await stage.live(50 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(2);
  await stage.live(12 * DAY, { everyMs: 12 * HOUR });
  expect(stage.ca.orders).toHaveLength(3);
  expect(stage.told("lineage.renewed").map((fields) => fields["because"])).toEqual(["renewal-info", "lifetime-left"]);
});

test("a CA is asked each six hours, however rare the checks, while the orders there fail", async () => {
  const { stage } = await suggestingStage({ from: 20 * DAY, to: 22 * DAY });
  await stage.live(23 * DAY - HOUR, { everyMs: 12 * HOUR });
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "proof" });
  };
  for (let round = 0; round < 4; round += 1) await stage.command({ isForced: true });
  stage.ca.questions.length = 0;
  await stage.live(4 * DAY, { everyMs: 60 * DAY });
  expect(stage.ca.questions.length).toBeGreaterThanOrEqual(15);
});
