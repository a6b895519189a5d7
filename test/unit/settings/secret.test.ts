import { format, inspect } from "node:util";
import { expect, test } from "vitest";
import { Secret } from "../../../src/settings/index.ts";

test("shows a secret as [redacted] however it is printed", () => {
  const secret = new Secret("hunter2");
  const printed = [
    String(secret),
    JSON.stringify({ secret }),
    inspect({ deep: { secret } }),
    format("%s %o", secret, secret),
  ];
  for (const text of printed) {
    expect(text).toContain("[redacted]");
    expect(text).not.toContain("hunter2");
  }
  expect(secret.reveal()).toBe("hunter2");
});
