import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;
const bash = (script: string, ...args: readonly string[]) =>
  spawnSync("bash", ["-c", script, "bash", ...args], { cwd: ROOT, encoding: "utf8" });

test("an unknown PART, FILE or argument ends with 2, and the parts are listed", () => {
  const wrong = (...args: readonly string[]) => bash('exec scripts/test "$@"', ...args);
  expect(wrong("--long", "nonsense")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/one of: crash engines faults /),
  });
  expect(wrong("--long")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/one PART of: crash engines faults /),
  });
  expect(wrong("--stress", "no-such-file")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no-such-file"),
  });
  expect(wrong("--nonsense")).toMatchObject({ status: 2, stderr: expect.stringContaining("--nonsense") });
});

test("each part but the simulation has test files that ask whether all is wanted", () => {
  const list = 'for part in $LONG_PARTS; do echo "$part $(files_of_part "$part")"; done';
  const parts = bash(`. scripts/test.d/long-parts.sh; ${list}`).stdout.trim().split("\n");
  const named = parts.map((line) => line.trim().split(" ")).filter(([part]) => part !== "simulate");
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter(([, ...files]) => files.length === 0)).toEqual([]);
  const files = named.flatMap(([, ...some]) => some);
  for (const file of files) {
    expect({ file, isThere: existsSync(`${ROOT}${file}`) }).toEqual({ file, isThere: true });
    expect(bash('grep -c CERT_SIDECAR_FULL "$1"', file).status).toBe(0);
  }
  const asking = bash("grep -rl CERT_SIDECAR_FULL test/e2e test/integration test/unit/lock").stdout.trim();
  expect(new Set(asking.split("\n"))).toEqual(new Set(files));
});
