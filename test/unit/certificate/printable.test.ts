import { expect, test } from "vitest";
import { printable } from "../../../src/certificate/index.ts";

test.each([
  ["plain words, ü and 世界 😀", "plain words, ü and 世界 😀"],
  ["two\n\tlines", "two\n\tlines"],
  ["\u001b[2Jx\u0007\r\u0000\u007f", "\ufffd[2Jx\ufffd\ufffd\ufffd\ufffd"],
  ["\u009b2J\u0085", "\ufffd2J\ufffd"],
  ["\u202emoc.live\u2066\u200b\ufeff\u00ad", "\ufffdmoc.live\ufffd\ufffd\ufffd\ufffd"],
])("%j may be printed as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});
