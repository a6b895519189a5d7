import { expect, test } from "vitest";
import { isReached } from "../../../src/reconcile/index.ts";
import { DAY, HOUR, last, reconcileStage } from "../../support/reconcile-stage.ts";

/** A stage whose CA adds `www.a.test` to all that it signs. */
async function addingStage() {
  const stage = await reconcileStage();
  stage.ca.adds = ["www.a.test"];
  expect(isReached(last(await stage.live(7 * DAY, { everyMs: HOUR })))).toBe(true);
  return stage;
}

const ordered = ({ ca }: Awaited<ReturnType<typeof addingStage>>) => ca.orders.map(({ names }) => names);

test("a certificate to which the CA adds a name is taken, said, and ordered once", async () => {
  const stage = await addingStage();
  expect(ordered(stage)).toEqual(["a.test"]);
  expect(stage.nginx.served()).toEqual(["a.test=a.test/1"]);
  expect(await stage.list()).toEqual(["a.test a.test"]);
  const said = stage.log.lines.filter(({ event }) => event === "lineage.names-added");
  expect(said.map(({ fields }) => fields)).toEqual([{ lineage: "a.test", names: ["www.a.test"] }]);
});

test("is renewed with the names that are wanted, though the settings no longer name it", async () => {
  const stage = await addingStage();
  stage.policy = { ...stage.policy, wanted: [] };
  await stage.live(90 * DAY, { everyMs: DAY });
  expect(ordered(stage)).toEqual(["a.test", "a.test"]);
});

test("is ordered anew when its added name is wanted, and when the wish is taken back", async () => {
  const stage = await addingStage();
  stage.set("a.test,www.a.test");
  await stage.live(DAY, { everyMs: HOUR });
  expect(await stage.list()).toEqual(["a.test a.test www.a.test"]);
  stage.set("a.test");
  await stage.live(DAY, { everyMs: HOUR });
  expect(ordered(stage)).toEqual(["a.test", "a.test,www.a.test", "a.test"]);
});

test("that a target has refused is shown again like any other", async () => {
  const stage = await addingStage();
  stage.pass(61 * DAY);
  stage.nginx.refuses = (_, version) => version > 1;
  await stage.live(3 * DAY, { everyMs: HOUR });
  expect(ordered(stage)).toHaveLength(2);
});

test("that lacks a wanted name is refused, and told which", async () => {
  const stage = await reconcileStage({ domains: "a.test,b.test" });
  stage.ca.leavesOut = ["b.test"];
  stage.ca.adds = ["www.a.test"];
  const [certificate] = (await stage.run()).certificates;
  expect(certificate?.failure).toMatchObject({
    code: "ISSUED_CERTIFICATE_UNUSABLE",
    message: expect.stringContaining("b.test, which was ordered, is not in it: it is for a.test, www.a.test"),
  });
});
