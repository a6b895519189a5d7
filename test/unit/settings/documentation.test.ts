import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PLANNED_SETTINGS } from "../../../src/settings/index.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const page = read("docs/settings.md");
const example = read(".env.example");

test("docs/settings.md says which settings are planned", () => {
  for (const name of PLANNED_SETTINGS) expect(page).toContain(`\`${name}\``);
});

describe(".env.example", () => {
  test("begins with the two lines that everybody edits", () => {
    expect(example.split("\n").slice(0, 2)).toEqual([
      "CERTBOT_DOMAIN=your_domain.com",
      "CERTBOT_EMAIL=your_email@example.com",
    ]);
  });

  test("has no setting that docs/settings.md hasn't, with the same default", () => {
    const shown = [...example.matchAll(/^# ([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => ({ name, value }));
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (?:none|`(.*?)`) +\|/gm)];
    const documented = rows.map(([, name, value = ""]) => ({ name, value }));
    expect(documented).toEqual(expect.arrayContaining(shown));
    expect(shown.length).toBeGreaterThan(30);
  });

  test("is refused as it is, with what to write", () => {
    const mistakes = mistakesOf({}, { dotenvText: example });
    expect(mistakes.map(({ setting }) => setting).sort()).toEqual(["CERTBOT_DOMAIN", "CERTBOT_EMAIL"]);
  });

  test("gives the defaults when every line is switched on", () => {
    const environment = { CERTBOT_DOMAIN: "a.test", CERTBOT_EMAIL: "me@a.test" };
    const dotenvText = example.replace(/^# ([A-Z_]+=)/gm, "$1");
    // A default that is written out is a choice: a certificate that is there follows it.
    expect(configOf(environment, { dotenvText })).toEqual({ ...configOf(environment), keyType: "ecdsa-p256" });
  });
});
