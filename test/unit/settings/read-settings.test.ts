import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatMistake, MistakeList } from "../../../src/settings/mistake.ts";
import { readSettings, type SettingSources } from "../../../src/settings/read-settings.ts";
import { HOOK_VARIABLES, PLANNED_SETTINGS } from "../../../src/settings/settings-table.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";
import { byWebroot } from "../../support/challenges.ts";

describe("where a setting comes from", () => {
  const dotenvText = "CERTBOT_EMAIL=file@a.test\nCERTBOT_KEY_TYPE=rsa-3072\n";

  test("the environment beats .env, which beats the default", () => {
    const config = configOf({ CERTBOT_EMAIL: "env@a.test" }, { dotenvText });
    expect(config.email).toBe("env@a.test");
    expect(config.keyType).toBe("rsa-3072");
    expect(config.challenges).toEqual(byWebroot("/var/www/html"));
  });

  test("an empty or blank variable counts as unset and hides nothing", () => {
    const config = configOf({ CERTBOT_EMAIL: "", CERTBOT_KEY_TYPE: " \t", CERTBOT_FOO: "" }, { dotenvText });
    expect(config.email).toBe("file@a.test");
    expect(config.keyType).toBe("rsa-3072");
  });

  test("blanks, carriage returns and quotes around a value are dropped", () => {
    const config = configOf({ CERTBOT_EMAIL: ` "me@a.test"\r`, CERTBOT_KEY_TYPE: "' rsa-2048 '" });
    expect(config.email).toBe("me@a.test");
    expect(config.keyType).toBe("rsa-2048");
  });

  test("quotes inside a value are left alone", () => {
    expect(configOf({ CERTBOT_OPTIONS: `"--cert-name" "x"`, CERTBOT_DOMAIN: "a.test" }).wanted[0]?.name).toBe("x");
  });

  test("a .env file may have been written on Windows, with comments and export", () => {
    const text = `\ufeff# mine\r\nexport CERTBOT_DOMAIN="a.test,b.test" # two\r\nCERTBOT_EMAIL='me@a.test'\r\n`;
    const config = configOf({}, { dotenvText: text });
    expect(config.wanted[0]?.identifiers).toHaveLength(2);
    expect(config.email).toBe("me@a.test");
  });
});

describe("a CERTBOT_ name that isn't ours", () => {
  test.each([
    ["CERTBOT_DOMIAN", "CERTBOT_DOMAIN"],
    ["CERTBOT_DOMAINS", "CERTBOT_DOMAIN"],
    ["CERTBOT_MAIL", "CERTBOT_EMAIL"],
    ["CERTBOT_KEYTYPE", "CERTBOT_KEY_TYPE"],
    ["CERTBOT_OPTION", "CERTBOT_OPTIONS"],
    ["CERTBOT_WEBROOT", "CERTBOT_WEBROOT_PATH"],
  ])("is refused where it is misspelt: %s, with the name that was meant", (typed, meant) => {
    expect(mistakesOf({ [typed]: "x" })).toEqual([
      { setting: typed, problem: `is no setting; did you mean ${meant}?` },
    ]);
  });

  test("is found in the .env text too, and its value is not shown", () => {
    const [mistake] = mistakesOf({}, { dotenvText: "CERTBOT_DNS_TOKEN=hunter2" });
    expect(mistake && formatMistake(mistake)).toBe("CERTBOT_DNS_TOKEN: is no setting");
  });

  test.each(PLANNED_SETTINGS)("is refused as not there yet where it is planned: %s", (name) => {
    expect(mistakesOf({ [name]: "hunter2" })).toEqual([
      { setting: name, problem: "is not in this version yet; take it out" },
    ]);
    expect(mistakesOf({ [`${name}_FILE`]: "/run/x" })[0]?.problem).toContain("is not in this version yet");
  });

  test.each(HOOK_VARIABLES)("is passed over where certbot sets it for hooks: %s", (name) => {
    expect(mistakesOf({ [name]: "x" })).toEqual([]);
  });
});

describe("a secret", () => {
  const table = [{ name: "CERTBOT_PASSPHRASE", isSecret: true, doc: "" }];
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "settings-"));
    writeFileSync(join(folder, "full"), "hunter2\n");
    writeFileSync(join(folder, "empty"), "\n");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function readSecret(environment: SettingSources["environment"]) {
    const mistakes = new MistakeList();
    const readFile = (path: string) => readFileSync(path, "utf8");
    const read = readSettings({ environment, readFile }, mistakes, table).get("CERTBOT_PASSPHRASE");
    expect(read?.isSecret ?? true).toBe(true);
    return { value: read?.text, problems: mistakes.all.map(formatMistake) };
  }

  test("comes from its variable", () => {
    expect(readSecret({ CERTBOT_PASSPHRASE: "hunter2" })).toEqual({ value: "hunter2", problems: [] });
  });

  test("comes from the file that NAME_FILE names, without the newline at its end", () => {
    expect(readSecret({ CERTBOT_PASSPHRASE_FILE: join(folder, "full") })).toEqual({ value: "hunter2", problems: [] });
  });

  test("is a mistake where its file is missing, empty, or named beside the value", () => {
    const missing = readSecret({ CERTBOT_PASSPHRASE_FILE: join(folder, "missing") });
    expect(missing.problems).toEqual([expect.stringMatching(/names a file that can't be read: ENOENT/)]);
    const empty = readSecret({ CERTBOT_PASSPHRASE_FILE: join(folder, "empty") });
    expect(empty.problems).toEqual([expect.stringContaining("names an empty file")]);
    const both = readSecret({ CERTBOT_PASSPHRASE: "hunter2", CERTBOT_PASSPHRASE_FILE: join(folder, "full") });
    expect(both.problems).toEqual([expect.stringContaining("set one of them")]);
    expect(both.problems[0]).not.toContain("hunter2");
  });
});
