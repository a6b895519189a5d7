import { expect, test } from "vitest";
import { findHost } from "../../../src/system/index.ts";

const live = () => new AbortController().signal;

test("a host has the addresses that this machine's own file has for it", async () => {
  expect(await findHost("localhost", live())).toContainEqual(expect.stringMatching(/^(127\.0\.0\.1|::1)$/));
});

test.each(["172.17.0.1", "127.0.0.1", "::1", "2001:db8::1"])("an address is its own: %s", async (address) => {
  expect(await findHost(address, live())).toEqual([address]);
});

test("who is told to stop asks no longer, and gets the signal's reason", async () => {
  const reason = new Error("the daemon stops");
  const controller = new AbortController();
  const asking = findHost("localhost", controller.signal);
  controller.abort(reason);
  await expect(asking).rejects.toBe(reason);
  await expect(findHost("localhost", controller.signal)).rejects.toBe(reason);
});
