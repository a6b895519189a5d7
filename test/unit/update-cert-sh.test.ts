import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SCRIPT = new URL("../../src/update-cert.sh", import.meta.url).pathname;
const LINES = [
  "Certificate operation successful",
  "Please ensure to reload Nginx to apply any certificate changes.",
] as const;

/** Runs /update-cert.sh with an update-cert that says its words and ends with `code`. */
async function run(words: readonly string[], { code = 0, certbotOptions = "" } = {}) {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "update-cert"), `#!/bin/sh\necho "did: $*"\nexit ${code}\n`, { mode: 0o755 });
  const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, CERTBOT_OPTIONS: certbotOptions };
  const { stdout, status } = spawnSync("/bin/sh", [SCRIPT, ...words], { env, encoding: "utf8" });
  const [did, ...after] = stdout.trimEnd().split("\n");
  return { did, after, status };
}

test("a run ends with the two lines that scripts look for", async () => {
  const { did, after, status } = await run(["--cert-name", "a b"]);
  expect({ did, status }).toEqual({ did: "did: --cert-name a b", status: 0 });
  expect(after).toEqual([
    LINES[0],
    expect.stringMatching(/^Please ensure .* changes\. \(cert-sidecar has already done so/),
  ]);
});

test.each([
  { words: ["--dry-run"], certbotOptions: "" },
  { words: [], certbotOptions: "-v  --dry-run *" },
])("a rehearsal, $words with CERTBOT_OPTIONS=$certbotOptions, doesn't claim a reload", async (asked) => {
  expect((await run(asked.words, asked)).after).toEqual(LINES);
});

test.each(["--json", "--help", "-h"])("with %s nothing is printed after the command's own words", async (word) => {
  expect(await run(["--dry-run", word])).toEqual({ did: `did: --dry-run ${word}`, after: [], status: 0 });
});

test("a failure passes on its exit code without a claim", async () => {
  expect(await run([], { code: 2 })).toMatchObject({ after: [], status: 2 });
});
