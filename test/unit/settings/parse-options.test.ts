import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatMistake, MistakeList } from "../../../src/settings/mistake.ts";
import { parseOptions } from "../../../src/settings/parse-options.ts";

function parse(words: readonly string[], verb = "settings") {
  const mistakes = new MistakeList();
  const options = parseOptions(words, verb, mistakes);
  return { options: Object.fromEntries(options), mistakes: mistakes.all.map(formatMistake) };
}

test.each([
  [["--email", "a@b.test"], { "--email": ["a@b.test"] }],
  [["--email=a@b.test"], { "--email": ["a@b.test"] }],
  [["-m", "a@b.test"], { "--email": ["a@b.test"] }],
  [
    ["-da.test", "-d=b.test", "-d", "c.test", "--domains", "d.test"],
    { "--domain": ["a.test", "b.test", "c.test", "d.test"] },
  ],
  [["-vvn"], { "--verbose": [], "--non-interactive": [] }],
  [["-nw", "/srv"], { "--non-interactive": [], "--webroot-path": ["/srv"] }],
  [["-nw/srv"], { "--non-interactive": [], "--webroot-path": ["/srv"] }],
  [["--test-cert", "--debug", "--renew-by-default"], { "--staging": [], "--verbose": [], "--force-renewal": [] }],
  [
    ["--force-renew", "--keep", "--noninteractive"],
    { "--force-renewal": [], "--keep-until-expiring": [], "--non-interactive": [] },
  ],
  [
    ["--agree-tos", "--no-eff-email", "--webroot", "-q"],
    { "--agree-tos": [], "--no-eff-email": [], "--webroot": [], "--quiet": [] },
  ],
  [["--server", "x", "--server", "x"], { "--server": ["x", "x"] }],
  [["--email", "a=b"], { "--email": ["a=b"] }],
])("reads %j as certbot does", (words, options) => {
  expect(parse(words)).toEqual({ options, mistakes: [] });
});

test.each([
  [["--dry-rum"], "CERTBOT_OPTIONS --dry-rum: is no option of this version; did you mean --dry-run?"],
  [["--standalon"], "CERTBOT_OPTIONS --standalon: is no option of this version"],
  [["-x"], "CERTBOT_OPTIONS -x: is no option of this version"],
  [["-nx"], "CERTBOT_OPTIONS -x: is no option of this version"],
  [["--"], "CERTBOT_OPTIONS --: is no option of this version"],
  [["certonly"], 'CERTBOT_OPTIONS="certonly": is no option; options begin with -- or -'],
  [["-"], 'CERTBOT_OPTIONS="-": is no option; options begin with -- or -'],
  [["--email"], "CERTBOT_OPTIONS --email: needs a value: ADDRESS"],
  [["--email", "--agree-tos"], "CERTBOT_OPTIONS --email: needs a value: ADDRESS"],
  [["--email", ""], "CERTBOT_OPTIONS --email: needs a value: ADDRESS"],
  [["--email="], "CERTBOT_OPTIONS --email: needs a value: ADDRESS"],
  [["--dry-run=yes"], "CERTBOT_OPTIONS --dry-run: takes no value"],
  [["--server", "a", "--server", "b"], "CERTBOT_OPTIONS --server: is given twice, as a and as b"],
  [
    ["--new-key"],
    "CERTBOT_OPTIONS --new-key: is not in this version; put --no-reuse-key into CERTBOT_OPTIONS for one renewal instead",
  ],
  [["--json"], "CERTBOT_OPTIONS --json: works only on update-cert's command line"],
])("refuses %j and names it", (words, mistake) => {
  expect(parse(words).mistakes).toEqual([mistake]);
});

test("says of every word what is wrong with it, in one go", () => {
  expect(parse(["--standalone", "--email", "--hsts", "-n"]).mistakes).toHaveLength(3);
});

test.each([
  [["--dns-token", "hunter2"]],
  [["--dns-token=hunter2", "hunter2"]],
  [["--eab-hmac-key", "key", "hunter2"]],
  [["--eab-hmac-key=hunter2", "--eab-hmac-key=2hunter"]],
  [["--eab-hmac-key=2hunter", "--eab-hmac-key=hunter2"]],
  [["-phunter2"]],
  [["--dns-token", "-dhunter2"]],
  [["--dns-token", "--hunter2", "hunter2"]],
  [["--server=https://u:hunter2@a.test", "--server", "https://u:hunter2@b.test"]],
])("never shows the value of an option it doesn't know, nor a secret: %j", (words) => {
  const { mistakes } = parse(words);
  expect(mistakes.length).toBeGreaterThan(0);
  expect(mistakes.join("\n")).not.toContain("hunter2");
});

test.each(["-dKEY", "--eab-kid", "-"])("takes what follows a secret's option for the secret: %s", (key) => {
  expect(parse(["--eab-hmac-key", key, "-n"])).toEqual({
    options: { "--eab-hmac-key": [key], "--non-interactive": [] },
    mistakes: [],
  });
});

test("tells a settings' option on the command line where it belongs, and takes its value with it", () => {
  expect(parse(["-d", "a.test", "--json"], "update-cert")).toEqual({
    options: { "--json": [] },
    mistakes: [expect.stringContaining("belongs in CERTBOT_OPTIONS or its own setting in .env")],
  });
});

test("reads any words without throwing, and says something of each that it doesn't take", () => {
  const word = fc.oneof(fc.string(), fc.constantFrom("-", "--", "-d", "-v", "--email", "--json", "=", "-d=", "-nvqd"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      const { options, mistakes } = parse(words);
      expect(Object.keys(options).length + mistakes.length).toBeGreaterThan(0);
    }),
  );
});
