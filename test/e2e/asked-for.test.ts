import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configureDemoCa } from "./support/demo-ca.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { untilIdle } from "./support/idle.ts";
import { servedByCa } from "./support/issued.ts";
import { trySettings } from "./support/settings-tried.ts";
import { createStack, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const DAY_S = 24 * 3600;
const EAB_KID = "kid-of-the-test";
const EAB_KEY = "c2VjcmV0LW9mLXRoZS10ZXN0LWEtaG1hYy1rZXktb2YtMzItYnl0ZXM";

// One stack, lived with in this order, at a CA that has profiles and wants an external account: what is refused comes first.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
  await configureDemoCa(stack, {
    profiles: {
      classic: { description: "The one for everybody", validityPeriod: 90 * DAY_S },
      shortlived: { description: "Six days", validityPeriod: 6 * DAY_S },
    },
    externalAccountBindingRequired: true,
    externalAccountMACKeys: { [EAB_KID]: EAB_KEY },
  });
  await stack.up("nginx", "pebble");
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("a profile that the CA doesn't offer is refused, with those that it does", async () => {
  const { update, errors } = await trySettings(stack, { CERTBOT_PROFILE: "tlsserver" });
  expect(update.code).toBe(1);
  expect(update.stderr).toMatch(/tlsserver.*classic.*shortlived.*\[ACME_PROFILE_NOT_OFFERED\]\n {2}what to do: /s);
  expect(errors[0]).toMatchObject({ event: "lineage.failed", code: "ACME_PROFILE_NOT_OFFERED" });
  expect(await stack.logs("pebble")).not.toContain("/sign-me-up");
});

test("a CA that wants an external account is told so before an account is asked for", async () => {
  const { update } = await trySettings(stack, { CERTBOT_PROFILE: "shortlived" });
  expect(update.code).toBe(1);
  expect(update.stderr).toContain("[ACME_EXTERNAL_ACCOUNT_REQUIRED]\n  what to do: ");
  expect(update.stderr).toMatch(/what to do: .*CERTBOT_EAB_KID.*CERTBOT_EAB_HMAC_KEY/);
  expect(await stack.orders()).toBe(0);
});

test("with profile and credentials right, the certificate has the profile's lifetime", async () => {
  await rewriteEnv(stack, { CERTBOT_EAB_KID: EAB_KID, CERTBOT_EAB_HMAC_KEY: EAB_KEY });
  await stack.up("certbot");
  const leaf = await servedByCa(stack);
  const lifetimeDays = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / DAY_S / 1000;
  expect(lifetimeDays).toBeCloseTo(6, 1);
  expect(await stack.readConf("renewal/demo.test.conf")).toMatch(/profile = shortlived\n/);
  const update = await stack.certbot("update-cert");
  expect(update).toMatchObject({ code: 0, stdout: expect.stringContaining("demo.test: not due") });
});

test("the HMAC key is in no log, in no answer and in no file of the tree", async () => {
  await untilIdle(stack);
  const seen = [await stack.logs("certbot"), await stack.logs("nginx"), ...(await filesIn(stack.conf()))];
  for (const command of [["status"], ["status", "--json"], ["certificates"], ["update-cert", "--json", "-v"]]) {
    const { stdout, stderr } = await stack.certbot(...command);
    seen.push(stdout, stderr);
  }
  expect(seen.filter((text) => text.includes(EAB_KEY))).toEqual([]);
  // It was there to be seen: the banner names the setting.
  expect(seen[0]).toMatch(/EAB_HMAC_KEY.*\[redacted\]/);
});

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), "utf8")));
}
