import { afterAll, beforeAll, expect, test } from "vitest";
import { rewriteEnv } from "./support/env-file.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { reloads } from "./support/reloads.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { watchName } from "./support/watched-name.ts";

const LINKS = ["a.test", "www.a.test", "new.a.test", "b.test", "www.b.test"].map((name) => `"nginx:${name}"`);

// One stack, lived with in this order: two certificates, both renewed, then other names for the first.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack({
    env: { CERTBOT_DOMAIN: "a.test www.a.test; b.test www.b.test" },
    override: `services:\n  pebble:\n    links: [${LINKS.join(", ")}]\n`,
  });
  // nginx before the sidecar, so that it has to be reloaded for what comes.
  await stack.up("nginx", "pebble");
  await stack.up("certbot");
});

afterAll(() => stack?.remove());

test("two certificates with two names each are served under each of their names, after one reload for both", async () => {
  const [a, b] = await expectEachServed();
  expect(a.subjectAltName).toBe("DNS:a.test, DNS:www.a.test");
  expect(b.subjectAltName).toBe("DNS:b.test, DNS:www.b.test");
  expect(await stack.orders()).toBe(2);
  expect(await reloads(stack)).toBe(1);
});

test("a forced renewal of both needs one reload, and of one by --cert-name leaves the other alone", async () => {
  const before = await expectEachServed();
  const reloadsBefore = await reloads(stack);
  expect(await stack.certbot("update-cert", "--force-renewal")).toMatchObject({ code: 0, stderr: "" });
  const both = await expectEachServed();
  for (const index of [0, 1] as const) expect(both[index].serialNumber).not.toBe(before[index].serialNumber);
  expect(await reloads(stack)).toBe(reloadsBefore + 1);
  const one = await stack.certbot("update-cert", "--force-renewal", "--cert-name", "b.test");
  expect(one).toMatchObject({ code: 0, stderr: "" });
  const [a, b] = await expectEachServed();
  expect(a.serialNumber).toBe(both[0].serialNumber);
  expect(b.serialNumber).not.toBe(both[1].serialNumber);
});

test("with other names in .env the new set is ordered first, and the old certificate serves until the new one does", async () => {
  const [before, other] = await expectEachServed();
  const [orders, reloadsBefore] = [await stack.orders(), await reloads(stack)];
  await rewriteEnv(stack, { CERTBOT_DOMAIN: "a.test new.a.test; b.test www.b.test" });
  const watch = watchName(stack, "a.test");
  try {
    await stack.up("certbot");
    await until("the new names are served", async () => {
      const leaf = await settledLeaf(stack, "new.a.test");
      return leaf.subjectAltName === "DNS:a.test, DNS:new.a.test" ? leaf : undefined;
    });
    // Ends when whatever the daemon had to do at its start is done.
    expect(await stack.certbot("update-cert")).toMatchObject({ code: 0, stderr: "" });
  } finally {
    await watch.end();
  }
  const [seen, after] = [await watch.end(), await settledLeaf(stack, "a.test")];
  expect(seen.failures).toEqual([]);
  expect(seen.serials).toEqual([before.serialNumber, after.serialNumber]);
  expect((await soundPair(stack, "a.test")).serialNumber).toBe(after.serialNumber);
  expect((await settledLeaf(stack, "b.test")).serialNumber).toBe(other.serialNumber);
  expect(await stack.orders()).toBe(orders + 1);
  expect(await reloads(stack)).toBe(reloadsBefore + 1);
  expect(await stack.certbot("status")).toMatchObject({ code: 0 });
});

/** The two certificates on disk, each found to be served under both of its names. */
async function expectEachServed() {
  for (const name of ["a.test", "www.a.test", "b.test", "www.b.test"]) await servedByCa(stack, name);
  const leaves = [await soundPair(stack, "a.test"), await soundPair(stack, "b.test")] as const;
  for (const leaf of leaves) {
    const names = (leaf.subjectAltName ?? "").split(", ").map((name) => name.replace("DNS:", ""));
    for (const name of names) expect((await settledLeaf(stack, name)).serialNumber).toBe(leaf.serialNumber);
  }
  return leaves;
}
