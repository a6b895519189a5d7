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

/** Whether nginx's step lets a pair that the list says nothing of turn on what browsers remember. Needs the openssl command. */
async function isCaIssued(options: Partial<IssueForTest>): Promise<boolean> {
  const folder = await temporaryFolder();
  const { certificatePem, chainPem } = issueForTest({ names: ["a.test"], ...options });
  await writeFile(join(folder, "fullchain.pem"), certificatePem + chainPem);
  const script = [
    `. ${LIBRARY}/files.sh; . ${LIBRARY}/pairs.sh; use_pair ${folder}/fullchain.pem ""`,
    "if is_ca_issued; then echo yes; else echo no; fi",
  ].join("\n");
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout === "yes\n";
}

test.each([
  ["a CA's certificate may turn on the redirect and HSTS", {}, true],
  ["so may one that has expired", EXPIRED, true],
  ["one of Let's Encrypt's staging may not", { issuer: STAGING }, false],
  ["a self-signed one may not", { issuer: "a.test" }, false],
] as const)("%s", async (_, options, expected) => {
  expect(await isCaIssued(options)).toBe(expected);
});
