import { afterAll, beforeAll, expect, test } from "vitest";
import { rewriteEnv } from "./support/env-file.ts";
import { trySettings } from "./support/settings-tried.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { servedByCa } from "./support/issued.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const GOOD = {
  CERTBOT_DOMAIN: "demo.test",
  CERTBOT_EMAIL: "admin@demo.test",
  CERTBOT_OPTIONS: "",
  CERTBOT_DOMIAN: "",
  CERTBOT_CA_BUNDLE: "/etc/letsencrypt/demo-ca.pem",
};

// Each with a setting in it that is wrong, and the line that says so.
const MISTAKES = [
  {
    mistake: "an empty CERTBOT_DOMAIN",
    settings: { CERTBOT_DOMAIN: "" },
    line: /^CERTBOT_DOMAIN: is not set, .*like CERTBOT_DOMAIN=/m,
  },
  {
    mistake: "the placeholder of .env.example",
    settings: { CERTBOT_DOMAIN: "your_domain.com" },
    line: /^CERTBOT_DOMAIN="your_domain\.com": is a placeholder; write the names that your users open/m,
  },
  {
    mistake: "a wildcard, which HTTP-01 can't prove",
    settings: { CERTBOT_DOMAIN: "*.demo.test" },
    line: /^CERTBOT_DOMAIN="\*\.demo\.test": is a wildcard, which only the DNS-01 challenge can prove/m,
  },
  {
    mistake: "a bad e-mail address",
    settings: { CERTBOT_EMAIL: "admin@" },
    line: /^CERTBOT_EMAIL="admin@": is no e-mail address; allowed: one address like /m,
  },
  {
    mistake: "an unknown option",
    settings: { CERTBOT_OPTIONS: "--frobnicate" },
    line: /^CERTBOT_OPTIONS --frobnicate: is no option/m,
  },
  {
    mistake: "a misspelt setting",
    settings: { CERTBOT_DOMIAN: "www.demo.test" },
    line: /^CERTBOT_DOMIAN: is no setting; did you mean CERTBOT_DOMAIN\?/m,
  },
  {
    mistake: "a CA bundle that isn't there",
    settings: { CERTBOT_CA_BUNDLE: "/etc/letsencrypt/none.pem" },
    line: /^CERTBOT_CA_BUNDLE="\/etc\/letsencrypt\/none\.pem": can't be read in this container: ENOENT/m,
  },
];

let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ lifetimeS: 60 });
  await stack.up("nginx", "pebble");
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test.each(MISTAKES)("$mistake is told with a remedy, by the log and by update-cert", async ({ settings, line }) => {
  const { update, errors, healthcheck, container } = await trySettings(stack, { ...GOOD, ...settings });

  expect({ code: update.code, stdout: update.stdout }).toEqual({ code: 2, stdout: "" });
  expect(update.stderr).toMatch(/^The settings have a mistake: \[SETTINGS_INVALID\]\n/);
  expect(update.stderr).toMatch(line);
  expect(update.stderr).toMatch(/^ {2}what to do: Correct these settings in \.env.* run `docker compose .* up -d/m);

  expect(errors).toEqual([
    expect.objectContaining({
      event: "settings.refused",
      code: "SETTINGS_INVALID",
      message: expect.stringMatching(line),
      remedy: expect.stringContaining(".env"),
    }),
  ]);

  expect(healthcheck).toMatchObject({ code: 1, stdout: expect.stringMatching(line) });
  expect(container).toBe("running 0");
  expect(await stack.orders()).toBe(0);
});

test("several mistakes are told at once", async () => {
  const settings = Object.assign({}, GOOD, ...MISTAKES.slice(1).map((one) => one.settings)) as typeof GOOD;
  const { update } = await trySettings(stack, settings);
  expect(update.code).toBe(2);
  expect(update.stderr).toMatch(/^The settings have 5 mistakes: \[SETTINGS_INVALID\]\n/);
  for (const { line, settings: wrong } of MISTAKES.slice(2)) {
    expect({ wrong, stderr: update.stderr }).toMatchObject({ stderr: expect.stringMatching(line) });
  }
});

test("once they are right a certificate is issued at once", async () => {
  await rewriteEnv(stack, GOOD);
  await stack.up("certbot");
  await servedByCa(stack);
  expect(await stack.orders()).toBe(1);
  // nginx may serve it before the daemon has seen that.
  await until("it is healthy", async () => (await stack.certbot("healthcheck")).stdout === "healthy\n" || undefined);
});

test("a mistake keeps nothing from being renewed and served that is there", async () => {
  const { update, errors, healthcheck } = await trySettings(stack, { ...GOOD, CERTBOT_OPTIONS: "--frobnicate" });
  const line = /^CERTBOT_OPTIONS --frobnicate: is no option/m;
  expect(update).toMatchObject({ code: 2, stderr: expect.stringMatching(line) });
  expect(errors).toEqual([expect.objectContaining({ event: "settings.refused" })]);
  expect(healthcheck).toMatchObject({ code: 1, stdout: expect.stringMatching(line) });
  const isRenewed = async () => (await stack.events()).some(({ event }) => event === "lineage.renewed") || undefined;
  await until("it is renewed", isRenewed);
  const serving = async () => {
    const status = await stack.certbot("status");
    return status.stdout.includes("serves this version") ? status : undefined;
  };
  const status = await until("it is served", serving);
  expect(status).toMatchObject({ code: 2, stderr: expect.stringMatching(line) });
});
