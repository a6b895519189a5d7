import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  CaFailure,
  DAY,
  HOUR,
  last,
  LETS_ENCRYPT,
  MINUTE,
  PRODUCTION,
  reconcileStage,
  STAGING,
} from "../../support/reconcile-stage.ts";

const FALLBACK = "https://other.test/dir";
const PRIVATE = "https://private.test/dir";
const UNREACHABLE = { origin: "ca-unreachable" } as const;

/** A stage that is due, with a first CA that can be taken down and a fallback that answers what the test says. */
async function dueStage(answerOfFallback: () => void) {
  const stage = await reconcileStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.run();
  stage.pass(60 * DAY);
  let isDown = true;
  stage.ca.isUp = (directoryUrl) => directoryUrl === FALLBACK || !isDown;
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl === FALLBACK) answerOfFallback();
    else if (isDown) throw new CaFailure(undefined, UNREACHABLE);
  };
  const take = (down: boolean) => {
    isDown = down;
  };
  return { stage, take };
}

test("a month's patience that the fallback asks for is nothing to the first CA, which is used in its first good hour", async () => {
  const { stage, take } = await dueStage(() => {
    throw new CaFailure(new Date(stage.now().getTime() + 30 * DAY));
  });
  await stage.live(8 * DAY, { everyMs: HOUR });
  expect(last(stage.ca.orders).directoryUrl).toBe(FALLBACK);
  take(false);
  await stage.live(HOUR);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
});

test("a fallback that refuses doesn't keep us from seeing that the first CA answers again", async () => {
  const { stage, take } = await dueStage(() => {
    throw new CaFailure(undefined, { origin: "ca-refused" });
  });
  await stage.live(15 * DAY + 7 * HOUR, { everyMs: HOUR });
  take(false);
  await stage.live(HOUR, { everyMs: HOUR });
  take(true);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
});

test("each CA is shown the account at its own website, and not the other's", async () => {
  const { stage } = await dueStage(() => undefined);
  const [externalAccount, fallbackExternalAccount] = ["kid-1", "kid-2"].map((keyId) => ({ keyId, hmacKey: "aaaa" }));
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK, externalAccount, fallbackExternalAccount });
  await stage.live(8 * DAY, { everyMs: HOUR });
  const shown = stage.ca.orders.slice(1).map((order) => `${order.directoryUrl} ${order.externalAccount?.keyId}`);
  expect([...new Set(shown)]).toEqual([`${PRODUCTION} kid-1`, `${FALLBACK} kid-2`]);
});

test("patience that staging asks for is nothing to production", async () => {
  const stage = await reconcileStage();
  stage.ca.answer = ({ directoryUrl }) => {
    if (directoryUrl === STAGING) throw new CaFailure(new Date(stage.now().getTime() + 7 * DAY));
  };
  await stage.command({ order: { directoryUrl: STAGING } });
  await stage.live(5 * MINUTE);
  expect(last(stage.ca.orders).directoryUrl).toBe(PRODUCTION);
});

test("a forced renewal that failed weeks ago doesn't make it the fallback's turn when the first CA is well", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.run();
  stage.pass(10 * DAY);
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "ca-failing" });
  };
  const failed = await stage.command({ isForced: true });
  // Nothing is due: the next order is the renewal.
  expect(((failed.certificates[0]?.nextAt?.getTime() ?? 0) - stage.now().getTime()) / DAY).toBeCloseTo(50, 3);
  stage.ca.answer = () => undefined;
  await stage.live(51 * DAY, { everyMs: DAY });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(last(stage.ca.orders).directoryUrl).toBe(PRODUCTION);
});

test("profile and chain of a taken-over conf survive the fallback's help", async () => {
  const { stage, take } = await dueStage(() => undefined);
  const conf = join(stage.root, "renewal", "a.test.conf");
  const asked = "[renewalparams]\nrequired_profile = shortlived\npreferred_chain = Root X";
  await writeFile(conf, (await readFile(conf, "utf8")).replace("[renewalparams]", asked));
  await stage.live(9 * DAY, { everyMs: DAY });
  expect(last(stage.ca.orders)).toMatchObject({
    directoryUrl: FALLBACK,
    profile: { name: "shortlived", isRequired: false },
  });
  take(false);
  await stage.live(65 * DAY, { everyMs: DAY });
  expect(last(stage.ca.orders)).toMatchObject({
    directoryUrl: PRODUCTION,
    profile: { name: "shortlived", isRequired: true },
    preferredChain: "Root X",
  });
});

test("a lineage that the settings don't name goes back to its CA though the fallback has been taken out", async () => {
  const { stage, take } = await dueStage(() => undefined);
  stage.set("b.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.live(9 * DAY, { everyMs: HOUR });
  expect(stage.ca.orders.filter(({ lineage }) => lineage === "a.test").at(-1)?.directoryUrl).toBe(FALLBACK);
  take(false);
  stage.set("b.test", { fallbackDirectoryUrl: undefined });
  await stage.live(65 * DAY, { everyMs: DAY });
  expect(stage.ca.orders.filter(({ lineage }) => lineage === "a.test").at(-1)?.directoryUrl).toBe(PRODUCTION);
});

test("a public fallback gets no order while the memory goes with the container", async () => {
  const stage = await reconcileStage();
  stage.storage = { kind: "ephemeral", message: "there is no volume", remedy: "Mount one." };
  stage.set("a.test", { directoryUrl: PRIVATE, fallbackDirectoryUrl: LETS_ENCRYPT });
  stage.ca.isUp = () => false;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, UNREACHABLE);
  };
  await stage.live(HOUR);
  expect(new Set(stage.ca.orders.map(({ directoryUrl }) => directoryUrl))).toEqual(new Set([PRIVATE]));
});

test("a proxy that is down for weeks is no reason to ask the fallback, and the first CA is asked when it is back", async () => {
  const stage = await reconcileStage();
  stage.set("a.test", { fallbackDirectoryUrl: FALLBACK });
  await stage.run();
  stage.pass(60 * DAY);
  stage.ca.isUp = () => false;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "proxy" });
  };
  await stage.live(20 * DAY + 7 * HOUR, { everyMs: HOUR });
  stage.ca.isUp = () => true;
  stage.ca.answer = () => undefined;
  await stage.live(HOUR, { everyMs: HOUR });
  expect(stage.nginx.served()).toEqual(["a.test=a.test/2"]);
  expect(new Set(stage.ca.orders.map(({ directoryUrl }) => directoryUrl))).toEqual(new Set([PRODUCTION]));
});

test("a proxy that fails for a while doesn't end the count of the first CA's own failures", async () => {
  const { stage } = await dueStage(() => undefined);
  await stage.live(4 * DAY, { everyMs: HOUR });
  const { answer } = stage.ca;
  stage.ca.answer = () => {
    throw new CaFailure(undefined, { origin: "proxy" });
  };
  await stage.live(2 * DAY, { everyMs: HOUR });
  stage.ca.answer = answer;
  await stage.live(3 * DAY, { everyMs: HOUR });
  expect(last(stage.ca.orders).directoryUrl).toBe(FALLBACK);
});
