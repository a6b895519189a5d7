import { expect, test } from "vitest";
import { CHALLENGES } from "../../../src/challenge/index.ts";
import { describeSettings } from "../../../src/settings/describe-settings.ts";
import { settingsWith } from "../../../src/settings/index.ts";

const SETTINGS = settingsWith({ challenges: CHALLENGES, channels: [] });

test("shows the three settings that the old container showed, set or not", () => {
  expect(describeSettings({ environment: { CERTBOT_DOMAIN: "a.test", CERTBOT_EMAIL: "" } }, SETTINGS)).toEqual([
    "CERTBOT_EMAIL: Not set",
    "CERTBOT_DOMAIN: a.test",
    "CERTBOT_OPTIONS: Not set",
  ]);
});

test("shows what else is set, from .env too, and nothing that isn't a setting", () => {
  const environment = { CERTBOT_KEY_TYPE: "dsa", CERTBOT_WEBROOT_PATH: "/w", HOME: "/root", CERTBOT_TOKEN: "t" };
  const lines = describeSettings({ environment, dotenvText: "CERTBOT_SERVER=zerossl" }, SETTINGS);
  expect(lines.slice(3)).toEqual(["CERTBOT_SERVER: zerossl", "CERTBOT_WEBROOT_PATH: /w", "CERTBOT_KEY_TYPE: dsa"]);
});

test.each([
  ["--eab-kid k --eab-hmac-key hunter2 -n", "--eab-kid k --eab-hmac-key [redacted] -n"],
  ["--eab-hmac-key=hunter2 -n", "--eab-hmac-key=[redacted] -n"],
  ["--eab-hmac-key --token-hunter2 -n", "--eab-hmac-key [redacted] -n"],
  ["--server https://u:hunter2@ca.test/", "--server https://[redacted]@ca.test/"],
  ["--eab-hmac-key 'hunter2", "[redacted]"],
  ["--cert-name 'a b'", "--cert-name 'a b'"],
])("shows CERTBOT_OPTIONS %j without its secrets", (CERTBOT_OPTIONS, shown) => {
  expect(describeSettings({ environment: { CERTBOT_OPTIONS } }, SETTINGS)[2]).toBe(`CERTBOT_OPTIONS: ${shown}`);
});

test("redacts secrets and passwords in URLs", () => {
  const environment = { CERTBOT_SERVER: "https://u:hunter2@ca.test/", CERTBOT_PASSPHRASE: "hunter2" };
  const table = [
    { name: "CERTBOT_SERVER", doc: "" },
    { name: "CERTBOT_PASSPHRASE", isSecret: true, doc: "" },
  ];
  expect(describeSettings({ environment }, table).slice(3)).toEqual([
    "CERTBOT_SERVER: https://[redacted]@ca.test/",
    "CERTBOT_PASSPHRASE: [redacted]",
  ]);
});

test("keeps each setting on one line", () => {
  const environment = { CERTBOT_DOMAIN: "a.test\r\nb.test", CERTBOT_EMAIL: "a\u001b[2Jb" };
  const lines = describeSettings({ environment }, SETTINGS);
  expect(lines).toContain("CERTBOT_DOMAIN: a.test ; b.test");
  expect(lines).toContain("CERTBOT_EMAIL: a [2Jb");
});
