import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = new URL("../../support/many-handshakes.ts", import.meta.url).pathname;

// Node keeps the chain of each certificate that getPeerX509Certificate() gives: 7 MB for so many, and a daemon makes them for years.
test("thousands of handshakes leave nothing behind", async () => {
  const flags = ["--expose-gc", "--max-semi-space-size=1"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, PROGRAM, "1500"]);
  expect(Number(stdout)).toBeLessThan(3_500_000);
});
