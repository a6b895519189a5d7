import { expect, test } from "vitest";
import { assessHealth, inspect } from "../../../src/reconcile/index.ts";
import { CaFailure, DAY, HOUR, MINUTE, PRODUCTION, reconcileStage } from "../../support/reconcile-stage.ts";

const FALLBACK = "https://other.test/dir";
const fallbackExternalAccount = { keyId: "kid-2", hmacKey: "aaaa" };

async function stageWithFallback() {
  const stage = await reconcileStage();
  stage.set("a.test", { email: "a@b.test", fallbackDirectoryUrl: FALLBACK, fallbackExternalAccount });
  return stage;
}

test("the fallback CA's account is registered when it is configured, and not asked for again", async () => {
  const stage = await stageWithFallback();
  await stage.live(3 * DAY);
  await stage.live(HOUR);
  expect(stage.ca.accounts).toEqual([
    { directoryUrl: FALLBACK, email: "a@b.test", externalAccount: fallbackExternalAccount, at: expect.any(Date) },
  ]);
  stage.set("a.test", { fallbackExternalAccount: { keyId: "kid-3", hmacKey: "aaaa" } });
  stage.policy = { ...stage.policy, settingsDigest: "others" };
  await stage.run();
  expect(stage.ca.accounts).toHaveLength(2);
});

test("what the fallback CA refuses is told by log, health and status while the first CA is well, and tried once a day", async () => {
  const stage = await stageWithFallback();
  stage.ca.answerToAccount = () => {
    throw new CaFailure(undefined, { origin: "ca-refused" });
  };
  const reports = await stage.live(3 * DAY - MINUTE);
  expect(stage.ca.accounts).toHaveLength(3);
  const [lastReport] = reports.slice(-1);
  expect(lastReport?.certificates).toEqual([expect.objectContaining({ outcome: "not-due" })]);
  const { problems } = assessHealth({ now: stage.now(), loop: { lastReport } });
  expect(problems).toEqual([`the account at the fallback CA ${FALLBACK} can't be had: the CA says no`]);
  const { signal } = new AbortController();
  const { picture } = await inspect(stage.parts(), { withTargets: false, signal });
  expect(picture.fallbackFailure).toMatchObject({ code: "TEST_CA_FAILED", remedy: "Wait." });
  expect(stage.told("account.unavailable")).toHaveLength(3);
  stage.ca.answerToAccount = () => undefined;
  expect((await stage.command()).fallbackFailure).toBeUndefined();
  expect((await inspect(stage.parts(), { withTargets: false, signal })).picture.fallbackFailure).toBeUndefined();
});

test("a fallback CA that doesn't answer is no alarm, and asked again the next day", async () => {
  const stage = await stageWithFallback();
  stage.ca.answerToAccount = () => {
    throw new CaFailure(undefined, { origin: "ca-unreachable" });
  };
  const report = await stage.run();
  expect(report.fallbackFailure).toBeUndefined();
  // Who types this is not kept waiting for it again.
  await stage.command();
  await stage.live(DAY - MINUTE);
  expect(stage.ca.accounts).toHaveLength(1);
  await stage.live(HOUR);
  expect(stage.ca.accounts).toHaveLength(2);
});

test("a death at the CA counts as a try", async () => {
  const stage = await stageWithFallback();
  const stop = new AbortController();
  stage.ca.answerToAccount = () => {
    stop.abort(new Error("killed"));
    stop.signal.throwIfAborted();
  };
  await expect(stage.run({}, stop.signal)).rejects.toThrow("killed");
  await stage.live(DAY - HOUR);
  expect(stage.ca.accounts).toHaveLength(1);
});

test.each([
  ["no fallback CA is set", { fallbackDirectoryUrl: undefined }],
  ["--dry-run is set", { isRehearsalOnly: true }],
  ["a mistake leaves in doubt how to order", { areOrdersInDoubt: true }],
])("no account is asked for where %s", async (_, more) => {
  const stage = await stageWithFallback();
  stage.set("a.test", more);
  await stage.run();
  expect(stage.ca.accounts).toEqual([]);
});

test("no account is asked for in a rehearsal, in another's place, nor where it would go with the container", async () => {
  const stage = await stageWithFallback();
  await stage.command({ isRehearsal: true });
  await stage.command({ only: { lineage: "a.test" } });
  stage.isHolder = false;
  await stage.run();
  stage.isHolder = true;
  stage.storage = { kind: "ephemeral", message: "no volume", remedy: "Mount one." };
  stage.set("a.test", { fallbackDirectoryUrl: PRODUCTION, directoryUrl: FALLBACK });
  await stage.run();
  expect(stage.ca.accounts).toEqual([]);
});

test("where the first CA refuses an account, the fallback CA gives what isn't there at once, and keeps up what is", async () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"].map((one) => `${one}.test`);
  const stage = await reconcileStage();
  stage.set(names.join(";"), { fallbackDirectoryUrl: FALLBACK });
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl === FALLBACK) return;
    throw new CaFailure(new Date(stage.now().getTime() + DAY), { origin: "ca-refused", isOurs: true });
  };
  const ordered = () => stage.ca.orders.filter(({ directoryUrl }) => directoryUrl === FALLBACK).map((one) => one.names);
  await stage.live(HOUR);
  expect(ordered().toSorted()).toEqual(names);
  const reports = await stage.live(90 * DAY, { everyMs: 12 * HOUR });
  const ends = reports.at(-1)?.certificates.map(({ validity }) => Number(validity?.notAfter));
  expect(ends?.filter((end) => end > stage.now().getTime())).toHaveLength(names.length);
  expect(ordered()).toHaveLength(2 * names.length);
});

test("one try a day for an account, whether an order asks for it or the settings do", async () => {
  const stage = await stageWithFallback();
  const refuse = () => {
    throw new CaFailure(new Date(stage.now().getTime() + DAY), { origin: "ca-refused", isOurs: true });
  };
  stage.ca.answerToAccount = refuse;
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl === FALLBACK) refuse();
    throw new CaFailure(undefined, { origin: "ca-failing" });
  };
  await stage.live(10 * DAY - HOUR, { everyMs: DAY });
  const asked = stage.ca.orders.filter(({ directoryUrl }) => directoryUrl === FALLBACK);
  expect(stage.ca.accounts.length).toBeGreaterThan(0);
  expect(asked.length + stage.ca.accounts.length).toBeLessThanOrEqual(10);
});
