import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { issueForTest, type IssueForTest } from "../../support/issued-certificate.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const LIBRARY = fileURLToPath(new URL("../../../nginx/lib", import.meta.url));
const EXPIRED = { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("2020-01-02T00:00:00Z") };
const STAGING = "(STAGING) Riddling Rhubarb R12";

/** What nginx's step finds out about a pair. Needs the openssl command. */
async function examine(options: Partial<IssueForTest>): Promise<{ isCaIssued: string; problem: string }> {
  const folder = await temporaryFolder();
  const { certificatePem, chainPem, privateKeyPem } = issueForTest({ names: ["a.test"], ...options });
  await writeFile(join(folder, "fullchain.pem"), certificatePem + chainPem);
  await writeFile(join(folder, "privkey.pem"), privateKeyPem);
  const script = [
    `. ${LIBRARY}/files.sh; . ${LIBRARY}/pairs.sh; NGINX_FOLDER=${folder}`,
    `use_pair ${folder}/fullchain.pem ${folder}/privkey.pem; examine_pair a.test`,
    `printf '%s|%s' "$IS_CA_ISSUED" "$PAIR_PROBLEM"`,
  ].join("\n");
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  const [isCaIssued = "", problem = ""] = stdout.split("|");
  return { isCaIssued, problem };
}

test.each([
  ["a CA's certificate may turn on the redirect and HSTS", {}, "yes"],
  ["so may one that has expired", EXPIRED, "yes"],
  ["one of Let's Encrypt's staging is served and may not", { issuer: STAGING }, "no"],
  ["an expired one of staging is no placeholder", { issuer: STAGING, ...EXPIRED }, "no"],
  ["a self-signed one is served and may not", { issuer: "a.test" }, "no"],
] as const)("%s", async (_, options, isCaIssued) => {
  expect(await examine(options)).toEqual({ isCaIssued, problem: "" });
});

test("an expired self-signed one is the placeholder that other servers need, and counts as none", async () => {
  const { problem } = await examine({ issuer: "a.test", ...EXPIRED });
  expect(problem).toMatch(/fullchain\.pem is an expired placeholder$/);
});
