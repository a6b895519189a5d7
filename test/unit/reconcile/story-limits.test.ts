import { expect, test } from "vitest";
import { parseIdentifier, type WaitScope } from "../../../src/certificate/index.ts";
import {
  CaFailure,
  DAY,
  HOUR,
  last,
  LETS_ENCRYPT,
  MINUTE,
  outcomes,
  reconcileStage,
} from "../../support/reconcile-stage.ts";

async function limitedStage(domains = "a.test") {
  const stage = await reconcileStage({ domains });
  stage.set(domains, { directoryUrl: LETS_ENCRYPT });
  return stage;
}

class ProofFailure extends CaFailure {
  override readonly unverified = [parseIdentifier("a.test")];

  constructor() {
    super(undefined, { origin: "proof" });
  }
}

test("the sixth forced certificate for the same names within a week is refused, with the time of the next", async () => {
  const stage = await limitedStage();
  const startedAt = stage.now().getTime();
  for (let round = 0; round < 5; round += 1) {
    expect(outcomes(await stage.command({ isForced: true }))[0]).toMatch(/^a\.test (issued|renewed)$/);
    stage.pass(MINUTE);
  }
  const refused = await stage.command({ isForced: true });
  expect(outcomes(refused)).toEqual(["a.test held BUDGET_EXCEEDED"]);
  const nextAt = new Date(startedAt + (7 * DAY) / 5);
  expect(refused.certificates[0]?.failure?.message).toContain(nextAt.toISOString());
  expect(refused.certificates[0]?.nextAt).toEqual(nextAt);
  expect(stage.ca.orders).toHaveLength(5);
  stage.pass(nextAt.getTime() - stage.now().getTime());
  expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test renewed"]);
  expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test held BUDGET_EXCEEDED"]);
});

test("a certificate that the CA has signed counts though it could not be written", async () => {
  const stage = await limitedStage();
  stage.ca.sign = () => {
    throw new CaFailure();
  };
  for (let round = 0; round < 7; round += 1) await stage.command();
  expect(stage.ca.orders).toHaveLength(5);
  expect(outcomes(await stage.command())).toEqual(["a.test held BUDGET_EXCEEDED"]);
});

test("the sixth order of an impatient operator for a name that can't be verified is refused within the hour", async () => {
  const stage = await limitedStage();
  stage.ca.answer = () => {
    throw new ProofFailure();
  };
  for (let round = 0; round < 8; round += 1) await stage.command();
  expect(stage.ca.orders).toHaveLength(5);
  stage.pass(12 * MINUTE);
  await stage.command();
  expect(stage.ca.orders).toHaveLength(6);
});

test("one command for 310 certificates places 300 orders; the others wait", async () => {
  const domains = Array.from({ length: 310 }, (_, index) => `n${index}.test`).join(";");
  const stage = await limitedStage(domains);
  // What counts is that an order goes out, not what comes of it.
  stage.ca.answer = () => {
    throw new CaFailure();
  };
  const report = await stage.command();
  expect(stage.ca.orders).toHaveLength(300);
  expect(outcomes(report).filter((line) => line.includes("BUDGET_EXCEEDED"))).toHaveLength(10);
});

test("a CA whose limits nobody has told us has the back-off alone", async () => {
  const stage = await reconcileStage();
  for (let round = 0; round < 10; round += 1) await stage.command({ isForced: true });
  expect(stage.ca.orders).toHaveLength(10);
});

test("with a twentieth of the life left a spent budget warns and the order goes out", async () => {
  const stage = await limitedStage();
  await stage.run();
  stage.pass(85 * DAY);
  stage.ca.sign = () => {
    throw new CaFailure();
  };
  for (let round = 0; round < 5; round += 1) await stage.command();
  // This one finds that the order of the fifth has come to nothing.
  expect(outcomes(await stage.command())).toEqual(["a.test failed BUDGET_EXCEEDED"]);
  expect(outcomes(await stage.command())).toEqual(["a.test held BUDGET_EXCEEDED"]);
  stage.pass(13 * HOUR);
  stage.ca.sign = () => undefined;
  expect(outcomes(await stage.command())).toEqual(["a.test renewed"]);
  expect(stage.told("limit.overridden")).toHaveLength(1);
});

test("a renewal within the CA's window is never held back by the budget", async () => {
  const stage = await limitedStage();
  for (let round = 0; round < 5; round += 1) await stage.command({ isForced: true });
  const [from, to] = [stage.now().getTime() + DAY, stage.now().getTime() + 20 * DAY];
  stage.ca.suggestion = () => ({ kind: "window", startAt: new Date(from - HOUR), endAt: new Date(to) });
  // Its own window moves the moment to the middle of what is drawn: within a week of the five.
  stage.pass(DAY);
  await stage.run();
  expect(outcomes(await stage.command({ isForced: true }))).toEqual(["a.test held BUDGET_EXCEEDED"]);
  await stage.live(12 * DAY, { everyMs: 6 * HOUR });
  expect(stage.told("lineage.renewed").at(-1)?.["because"]).toBe("renewal-info");
});

/** Two certificates, of which the first meets a CA that asks for a day of patience with the given scope. */
async function heldStage(scope: WaitScope | undefined, domains = "a.test;b.test") {
  const stage = await limitedStage(domains);
  const until = new Date(stage.now().getTime() + DAY);
  stage.ca.answer = ({ names }) => {
    if (names.split(",")[0] === "a.test" && stage.now() < until) throw new CaFailure(until, { scope });
  };
  // One after the other, as in a daemon's life.
  const [name = ""] = domains.split(/[,;]/);
  await stage.command({ only: { lineage: name } });
  return { stage, until };
}

test("patience for the account holds all its certificates, restarts and commands included", async () => {
  const { stage, until } = await heldStage(undefined);
  expect(outcomes(await stage.run({ trigger: "start" }))).toEqual([
    "a.test held TEST_CA_FAILED",
    "b.test held TEST_CA_FAILED",
  ]);
  expect(outcomes(await stage.command())).toHaveLength(2);
  expect(stage.ca.orders).toHaveLength(1);
  expect(last(await stage.live(HOUR)).nextAt).toEqual(until);
  await stage.live(DAY, { everyMs: 6 * HOUR });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1", "b.test=b.test/1"]);
});

test.each<{ scope: WaitScope; held: string[]; free: string[] }>([
  { scope: { kind: "names", names: ["a.test"] }, held: ["a.test", "x.a.test,y.test"], free: ["b.test", "xa.test"] },
  { scope: { kind: "exact-set" }, held: ["a.test"], free: ["a.test,www.a.test", "b.test"] },
])("patience for $scope.kind holds only what it is about", async ({ scope, held, free }) => {
  const { stage } = await heldStage(scope, "a.test");
  const attempt = async (names: string) => {
    stage.set(names, { directoryUrl: LETS_ENCRYPT });
    return outcomes(await stage.command({ only: { lineage: names.split(",")[0] ?? "" } }))[0]?.split(" ")[1];
  };
  for (const names of held) expect([names, await attempt(names)]).toEqual([names, "held"]);
  stage.ca.answer = () => undefined;
  for (const names of free) expect([names, await attempt(names)]).toEqual([names, "issued"]);
});

test("patience that a clock set back by years has left in the future holds nothing", async () => {
  const { stage } = await heldStage(undefined, "a.test");
  stage.ca.answer = () => undefined;
  stage.pass(-400 * DAY);
  expect(outcomes(await stage.command())).toEqual(["a.test issued"]);
});

test("a renewal that the CA suggests and never signs in time counts from the second try on", async () => {
  const stage = await limitedStage();
  await stage.run();
  const [from, to] = [stage.now().getTime() + DAY, stage.now().getTime() + 40 * DAY];
  stage.ca.suggestion = () => ({ kind: "window", startAt: new Date(from), endAt: new Date(to) });
  await stage.run();
  stage.pass(30 * DAY);
  stage.ca.sign = () => {
    // It keeps the first order as the replacement, and refuses all others as one.
    stage.ca.takesReplacements = false;
    throw new CaFailure(undefined, { origin: "ca-failing" });
  };
  for (let hour = 0; hour < 48; hour += 1) {
    await stage.command();
    stage.pass(HOUR);
  }
  // One that the CA exempts, the five of its limit, and one more that the limit gives back in this time.
  expect(stage.ca.orders.length - 1).toBe(7);
});

test("a hold by the budget ends by itself when a twentieth of the life is left, however rare the checks", async () => {
  const stage = await reconcileStage({ lifeMs: 6 * DAY });
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  await stage.run();
  const startedAt = stage.now().getTime();
  stage.pass(5.2 * DAY);
  stage.ca.sign = () => {
    throw new CaFailure();
  };
  for (let round = 0; round < 6; round += 1) await stage.command();
  expect(outcomes(await stage.command())).toEqual(["a.test held BUDGET_EXCEEDED"]);
  stage.ca.sign = () => undefined;
  await stage.live(0.7 * DAY, { everyMs: 30 * DAY });
  const lastAt = stage.ca.orders.at(-1)?.at.getTime() ?? 0;
  expect((lastAt - startedAt) / DAY).toBeCloseTo(5.7, 2);
  expect(stage.told("limit.overridden")).toHaveLength(1);
  expect(stage.told("lineage.renewed")).toHaveLength(1);
});

test.each([
  ["took it for that", true],
  ["took it for another one", false],
])("a renewal that the CA has suggested is exempt from its limits where it %s", async (_, takesReplacements) => {
  const stage = await reconcileStage();
  stage.set("a.test", { directoryUrl: LETS_ENCRYPT });
  const [startAt, endAt] = [10, 12].map((days) => new Date(stage.now().getTime() + days * DAY)) as [Date, Date];
  stage.ca.suggestion = () => ({ kind: "window", startAt, endAt });
  stage.ca.takesReplacements = takesReplacements;
  await stage.run();
  await stage.run();
  stage.pass(11.5 * DAY);
  expect((await stage.run()).certificates).toMatchObject([{ outcome: "renewed", because: "renewal-info" }]);
  const { spending } = await stage.parts().store.loadLedger(LETS_ENCRYPT);
  expect(spending.orders.at(-1)).toMatchObject({ isExempt: takesReplacements, isIssued: true });
});

test("an order that another one leaves no room for has not been tried, whatever a death has cut off before", async () => {
  const stage = await limitedStage("a.test;b.test");
  for (const lineage of ["a.test", "b.test"]) {
    const death = new AbortController();
    stage.ca.answer = () => {
      death.abort();
      death.signal.throwIfAborted();
    };
    await expect(stage.run({ only: { lineage } }, death.signal)).rejects.toThrow("aborted");
  }
  stage.pass(HOUR);
  const { store } = stage.parts();
  const spent = { at: stage.now().toISOString(), names: "c.test", isExempt: false, isIssued: false };
  const spending = { orders: Array.from({ length: 299 }, () => spent), failedValidations: [] };
  await store.saveLedger({ ...(await store.loadLedger(LETS_ENCRYPT)), spending });
  stage.ca.answer = () => undefined;
  expect(outcomes(await stage.command()).sort()).toEqual(["a.test issued", "b.test held BUDGET_EXCEEDED"]);
});
