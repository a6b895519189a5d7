import { expect, test } from "vitest";
import { isGlobalAddress, isPrivateAddress } from "../../../src/certificate/index.ts";

test.each([
  ["10.1.2.3", "private"],
  ["172.16.0.1", "private"],
  ["172.32.0.1", "global"],
  ["192.168.0.1", "private"],
  ["100.63.255.254", "global"],
  ["100.64.0.1", "private"],
  ["100.128.0.1", "global"],
  ["127.0.0.1", "private"],
  ["169.254.1.1", "private"],
  ["192.0.2.1", "special"],
  ["224.0.0.1", "special"],
  ["255.255.255.255", "special"],
  ["8.8.8.8", "global"],
  ["::1", "private"],
  ["fd00::1", "private"],
  ["fe80::1", "private"],
  ["2001:db8::1", "special"],
  ["2002:a00::1", "special"],
  ["64:ff9b::1", "special"],
  ["::ffff:8.8.8.8", "special"],
  ["::ffff:10.0.0.1", "private"],
  ["2606:4700::1111", "global"],
])("%s is %s", (address, kind) => {
  expect(isPrivateAddress(address)).toBe(kind === "private");
  expect(isGlobalAddress(address)).toBe(kind === "global");
});
