import { afterAll, beforeAll, expect, test } from "vitest";
import { lookUpCaa, lookUpHost, lookUpTxt } from "../../../src/system/index.ts";
import { type DnsServer, startDnsServer } from "../../support/dns-server.ts";

let dns: DnsServer;
beforeAll(async () => {
  dns = await startDnsServer({
    "a.test": [{ txt: ["one"] }, { txt: ["a long one ", "in two"] }, [128, "issue", "ca.test"]],
    "both.test": [{ address: "fd00::2" }, { address: "10.0.0.2" }, { address: "10.0.0.3" }],
    "2.0.0.10.in-addr.arpa": [{ ptr: "shop-nginx-1.shop_default" }],
    "empty.test": [],
    "broken.test": "servfail",
    "silent.test": "silence",
  });
});
afterAll(() => dns.stop());

const live = () => new AbortController().signal;

test("TXT records come whole, and without those of other kinds", async () => {
  expect(await lookUpTxt("a.test", live(), [dns.address])).toEqual(["one", "a long one in two"]);
});

test("CAA records come with their flags", async () => {
  const records = await lookUpCaa("a.test", live(), [dns.address]);
  expect(records).toEqual([{ flags: 128, tag: "issue", value: "ca.test" }]);
});

test.each([lookUpTxt, lookUpCaa])("a name with no such record, or none at all, has none", async (lookUp) => {
  expect(await lookUp("empty.test", live(), [dns.address])).toEqual([]);
  expect(await lookUp("nowhere.test", live(), [dns.address])).toEqual([]);
});

test("name servers that fail are an error", async () => {
  await expect(lookUpTxt("broken.test", live(), [dns.address])).rejects.toMatchObject({ code: "ESERVFAIL" });
});

test("who is told to stop asks no longer, and gets the signal's reason", async () => {
  const reason = new Error("the daemon stops");
  const controller = new AbortController();
  const asking = lookUpTxt("silent.test", controller.signal, [dns.address]);
  controller.abort(reason);
  await expect(asking).rejects.toBe(reason);
  await expect(lookUpTxt("late.test", controller.signal, [dns.address])).rejects.toBe(reason);
  expect(dns.asked).not.toContain("late.test");
});

test("a host's addresses come of both kinds, IPv4 first, and an address has its names", async () => {
  const { addresses, names } = lookUpHost;
  expect([...(await addresses("both.test", live(), [dns.address]))].sort()).toEqual([
    "10.0.0.2",
    "10.0.0.3",
    "fd00::2",
  ]);
  expect((await addresses("both.test", live(), [dns.address])).at(-1)).toBe("fd00::2");
  expect(await addresses("nowhere.test", live(), [dns.address])).toEqual([]);
  expect(await names("10.0.0.2", live(), [dns.address])).toEqual(["shop-nginx-1.shop_default"]);
  expect(await names("10.0.0.9", live(), [dns.address])).toEqual([]);
  await expect(addresses("broken.test", live(), [dns.address])).rejects.toMatchObject({ code: "ESERVFAIL" });
});
