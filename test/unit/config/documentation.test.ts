import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OPTIONS, PLANNED_SETTINGS, SETTINGS } from "../../../src/config/index.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const page = read("docs/settings.md");
const example = read(".env.example");

// Cells of every table row whose first cell is code, blanks of the formatter taken out.
const rows = [...page.matchAll(/^\| +(`.*) \|$/gm)].map(([, row = ""]) =>
  row.split(/ +(?<!\\)\| +/).map((cell) => cell.trim().replaceAll("\\|", "|")),
);

// `# NAME=value` and `NAME=value` lines alike.
const exampleLines = [...example.matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm)].map(([, name = "", value = ""]) => ({
  name,
  value,
}));

describe("docs/settings.md", () => {
  test.each(SETTINGS.map((setting) => ({ defaultText: undefined, ...setting })))(
    "says of $name what the table in the code says",
    ({ name, defaultText, doc }) => {
      const shownDefault = defaultText === undefined ? "none" : `\`${defaultText}\``;
      expect(rows.filter(([first]) => first === `\`${name}\``)).toEqual([[`\`${name}\``, shownDefault, doc]]);
    },
  );

  test.each(OPTIONS.map((option) => ({ value: undefined, ...option })))(
    "says of $name what the table in the code says",
    ({ name, also, value, where, doc }) => {
      const spellings = [name, ...also].map((spelling) => `\`${spelling}\``).join(", ");
      const place = { settings: "`CERTBOT_OPTIONS`", command: "`update-cert`", both: "both" }[where];
      expect(rows).toContainEqual([value === undefined ? spellings : `${spellings} ${value}`, place, doc]);
    },
  );

  test("names no CERTBOT_ setting that this version doesn't read, but those it says are planned", () => {
    const named = new Set(rows.flatMap(([first = ""]) => first.match(/CERTBOT_[A-Z_]+/g) ?? []));
    const read = SETTINGS.map(({ name }) => name).filter((name) => name.startsWith("CERTBOT_"));
    expect([...named].sort()).toEqual([...read].sort());
    for (const name of PLANNED_SETTINGS) expect(page).toContain(`\`${name}\``);
  });

  test("has every setting of .env.example", () => {
    for (const { name } of exampleLines) expect(rows.map(([first]) => first)).toContain(`\`${name}\``);
  });
});

describe(".env.example", () => {
  test("begins with the two lines that everybody edits", () => {
    expect(example.split("\n").slice(0, 2)).toEqual([
      "CERTBOT_DOMAIN=your_domain.com",
      "CERTBOT_EMAIL=your_email@example.com",
    ]);
  });

  test("has every setting once, with its default", () => {
    const shown = exampleLines.slice(
      2,
      exampleLines.findIndex(({ name }) => name.startsWith("NGINX_")),
    );
    const settings = SETTINGS.map((setting) => ({ defaultText: "", ...setting })).slice(2);
    const expected = settings.map(({ name, defaultText }) => ({ name, value: defaultText }));
    expect(shown.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(
      expected.toSorted((a, b) => a.name.localeCompare(b.name)),
    );
  });

  test("is refused as it is, with what to write", () => {
    const mistakes = mistakesOf({}, { dotenvText: example });
    expect(mistakes.map(({ setting }) => setting).sort()).toEqual(["CERTBOT_DOMAIN", "CERTBOT_EMAIL"]);
  });

  test("gives the defaults when every line is switched on", () => {
    const environment = { CERTBOT_DOMAIN: "a.test", CERTBOT_EMAIL: "me@a.test" };
    const dotenvText = example.replace(/^# ([A-Z_]+=)/gm, "$1");
    // A default that is written out is a choice: a certificate that is there follows it.
    expect(configOf(environment, { dotenvText })).toEqual({ ...configOf(environment), isKeyTypeChosen: true });
  });
});
