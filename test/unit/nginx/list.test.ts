import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("../../../nginx/lib/list.awk", import.meta.url));

type Reading = { readonly lines: readonly string[]; readonly complaints: string };

function read(source: "list" | "CERTBOT_DOMAIN", text: string, otherNames = "_"): Reading {
  const options = ["-v", `source=${source}`, "-v", `other_names=${otherNames}`, "-f", PROGRAM];
  const { stdout, stderr, status } = spawnSync("awk", options, { input: text, encoding: "utf8" });
  expect(status).toBe(0);
  return { lines: stdout.trimEnd().split("\n"), complaints: stderr };
}

test("each line of the list is a certificate, and what is decided of it is taken as it is", () => {
  const { lines, complaints } = read(
    "list",
    "# ours\nshop - real shop.test *.shop.test\n\nbox default test 192.0.2.7 [::1]\n",
  );
  expect(lines).toEqual(["shop||real|shop.test *.shop.test", "box|default_server|test|192.0.2.7 [::1]", "@others|||_"]);
  expect(complaints).toBe("");
});

test("a list of an older sidecar: the first is the default server, and what it says of no one is unknown", () => {
  const { lines, complaints } = read("list", "shop shop.test www.shop.test\napi.test api.test # a comment\n");
  expect(lines).toEqual([
    "shop|default_server|unknown|shop.test www.shop.test",
    "api.test||unknown|api.test",
    "@others|||_",
  ]);
  expect(complaints).toBe("");
});

test("a list of an older sidecar: one with an IP address is the default server, since its clients name none", () => {
  const { lines } = read("list", "shop shop.test\nbox 203.0.113.7 2001:db8::1\nhut 203.0.113.8\n");
  expect(lines).toEqual([
    "shop||unknown|shop.test",
    "box|default_server|unknown|203.0.113.7 [2001:db8::1]",
    "hut||unknown|203.0.113.8",
    "@others|||_",
  ]);
});

test("nginx has one default server, whatever the list says", () => {
  const all = (text: string) => read("list", text).lines.map((line) => line.split("|").slice(0, 2).join("|"));
  expect(all("a - real a.test\nb - real b.test\n")).toEqual(["a|default_server", "b|", "@others|"]);
  expect(all("a default real a.test\nb default real b.test\n")).toEqual(["a|default_server", "b|", "@others|"]);
  expect(all("# none\n")).toEqual(["@others|default_server"]);
});

test("a lineage that certbot has called by an IPv6 address is taken as it is", () => {
  const { lines, complaints } = read(
    "list",
    "2001:db8::1 - real [2001:db8::1]\n::1 - real [::1]\n2001-db8--2 - real a.test\n",
  );
  expect(lines.map((line) => line.split("|")[0])).toEqual(["2001:db8::1", "::1", "2001-db8--2", "@others"]);
  expect(complaints).toBe("");
});

test("names that a certificate has are no other names", () => {
  expect(read("list", "a - real a.test\n", "A.test b.test").lines).toEqual([
    "a|default_server|real|a.test",
    "@others|||b.test",
  ]);
});

const NO_NAMES = [
  "a.test;return",
  "a.test}",
  "$host.test",
  "a.test|b.test",
  "../../etc/passwd.test",
  "a/b.test",
  "a..test",
  ".a.test",
  "*.*.test",
  "w*.test",
  "a.*",
  '"a.test"',
  "a.test\\",
  "münchen.test",
  "A.test",
  "[::1",
  "[]",
  ":",
];

test.each(NO_NAMES)("the line of a name like %s is left out, and no other", (word) => {
  const { lines, complaints } = read("list", `shop - real shop.test ${word} www.shop.test\nb - real b.test\n`);
  expect(lines).toEqual(["b|default_server|real|b.test", "@others|||_"]);
  expect(complaints).toMatch(
    /^cert-sidecar: "shop - real shop\.test .*" in list has what no .* the line is left out\.\n$/,
  );
});

test.each(["../shop", ".hidden", "-rf", "a/b", "@others", "a;b", "$(id)", "a|b", "n".repeat(201)])(
  "the line of a certificate called %s is left out",
  (lineage) => {
    const { lines, complaints } = read("list", `${lineage} - real shop.test\nother - real other.test\n`);
    expect(lines).toEqual(["other|default_server|real|other.test", "@others|||_"]);
    expect(complaints).toContain("the line is left out");
  },
);

test("a line without names, or with another word for what is decided, is left out", () => {
  const { lines, complaints } = read("list", "a - real\nb - maybe b.test\nc\nd - real d.test\n");
  expect(lines).toEqual(["d|default_server|real|d.test", "@others|||_"]);
  expect(complaints.split("\n")).toHaveLength(4);
});

test("a certificate that is there twice counts once", () => {
  expect(read("list", "shop - real a.test\nshop - real b.test\n").lines).toEqual([
    "shop|default_server|real|a.test",
    "@others|||_",
  ]);
});

test("control characters of a refused line are not printed", () => {
  expect(read("list", "shop - real \u001b[31mred\n").complaints).toContain('"shop - real ?[31mred"');
});

test("without a list CERTBOT_DOMAIN's certificates are called after their first names", () => {
  const { lines, complaints } = read(
    "CERTBOT_DOMAIN",
    "Shop.test www.shop.test.\n*.api.test api.test\r\n203.0.113.7\n",
  );
  expect(lines).toEqual([
    "shop.test||unknown|shop.test www.shop.test",
    "api.test||unknown|*.api.test api.test",
    "203.0.113.7|default_server|unknown|203.0.113.7",
    "@others|||_",
  ]);
  expect(complaints).toBe("");
});

test.each(["[2001:db8::1]", "münchen.test", `${`${"n".repeat(63)}.`.repeat(3)}long.test`])(
  "what only the sidecar can name, like %s, waits for its list, and keeps no other certificate waiting",
  (name) => {
    const { lines, complaints } = read("CERTBOT_DOMAIN", `${name}\na.test\n`);
    expect(lines).toEqual(["a.test|default_server|unknown|a.test", "@others|||_"]);
    expect(complaints).toContain("in CERTBOT_DOMAIN has what no certificate's name or domain name has");
  },
);

test("without a list a name that isn't plain takes no other name of its certificate away", () => {
  const { lines, complaints } = read("CERTBOT_DOMAIN", "a.test münchen.test b..test www.a.test. x;} [::1]\n");
  expect(lines).toEqual(["a.test|default_server|unknown|a.test www.a.test [::1]", "@others|||_"]);
  for (const word of ["m\\?+nchen.test", "b..test", "x;}"])
    expect(complaints).toMatch(new RegExp(`"${word}" in CERTBOT_DOMAIN`));
});

test("the placeholders of .env.example count as not set", () => {
  const { lines, complaints } = read("CERTBOT_DOMAIN", "your_domain.com\nexample.com\n");
  expect(lines).toEqual(["@others|default_server||_"]);
  expect(complaints).toBe("");
});
