import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("../../../nginx/lib/names.awk", import.meta.url));

type Reading = { readonly lines: readonly string[]; readonly complaints: string };

function read(source: "list" | "CERTBOT_DOMAIN", text: string, otherNames = "_"): Reading {
  const options = ["-v", `source=${source}`, "-v", `other_names=${otherNames}`, "-f", PROGRAM];
  const { stdout, stderr, status } = spawnSync("awk", options, { input: text, encoding: "utf8" });
  expect(status).toBe(0);
  return { lines: stdout.trimEnd().split("\n"), complaints: stderr };
}

test("each line of the list is a certificate, and the first is the default server", () => {
  const { lines, complaints } = read("list", "# ours\nshop shop.test www.shop.test\n\napi.test api.test # a comment\n");
  expect(lines).toEqual(["shop|default_server|shop.test www.shop.test", "api.test||api.test", "@others||_"]);
  expect(complaints).toBe("");
});

test("the list's decisions are no names", () => {
  const { lines, complaints } = read("list", "shop - real shop.test\nbox default test 203.0.113.7 [2001:db8::1]\n");
  expect(lines).toEqual(["shop||shop.test", "box|default_server|203.0.113.7 [2001:db8::1]", "@others||_"]);
  expect(complaints).toBe("");
});

test("a certificate with an IP address is the default server, since its clients name none", () => {
  const { lines } = read("list", "shop shop.test\nbox 203.0.113.7 2001:db8::1\n");
  expect(lines).toEqual(["shop||shop.test", "box|default_server|203.0.113.7 [2001:db8::1]", "@others||_"]);
});

test("addresses in two certificates: the first is served, and the other one is told", () => {
  const { lines, complaints } = read("list", "a a.test\nbox 203.0.113.7\nhut hut.test 2001:db8::1\n");
  expect(lines).toEqual(["a||a.test", "box|default_server|203.0.113.7", "hut||hut.test [2001:db8::1]", "@others||_"]);
  expect(complaints).toContain("clients of an IP address get the certificate box, so that those of hut are not served");
});

test("a lineage that certbot has called by an IPv6 address is taken as it is", () => {
  const { lines, complaints } = read("list", "2001:db8::1 2001:db8::1\n::1 ::1\n2001-db8--2 2001:db8::2\n");
  expect(lines.map((line) => line.split("|")[0])).toEqual(["2001:db8::1", "::1", "2001-db8--2", "@others"]);
  expect(complaints).not.toContain("left out");
});

test.each([
  ["2001:db8::1", "2001-db8--1|default_server|[2001:db8::1]"],
  ["[2001:DB8::1] shop.test", "2001-db8--1|default_server|[2001:db8::1] shop.test"],
  ["::1", "0--1|default_server|[::1]"],
  ["203.0.113.7 [2001:db8::1]", "203.0.113.7|default_server|203.0.113.7 [2001:db8::1]"],
])("CERTBOT_DOMAIN=%s is called as the sidecar calls it", (domain, line) => {
  const { lines, complaints } = read("CERTBOT_DOMAIN", `${domain}\n`);
  expect(lines[0]).toBe(line);
  expect(complaints).toBe("");
});

test("a first name that is too long for a file's name waits for the sidecar, which calls it otherwise", () => {
  const long = `${`${"n".repeat(63)}.`.repeat(3)}long.test`;
  const { lines, complaints } = read("CERTBOT_DOMAIN", `${long}\na.test\n`);
  expect(lines).toEqual(["a.test|default_server|a.test", "@others||_"]);
  expect(complaints).toContain("is not a certificate's name; it is left out");
  expect(read("list", `${"n".repeat(180)}-0123 ${long}\n`).lines[0]).toContain(`|default_server|${long}`);
});

test("a name in two certificates stays with the first", () => {
  const { lines, complaints } = read("list", "a a.test shared.test\nb shared.test b.test\nc shared.test\n");
  expect(lines).toEqual(["a|default_server|a.test shared.test", "b||b.test", "@others||_"]);
  expect(complaints).toContain('"shared.test" in list belongs to the certificate a already');
});

test("no certificate leaves the default server to all other names", () => {
  expect(read("list", "# none\n").lines).toEqual(["@others|default_server|_"]);
});

test("names that a certificate has are no other names", () => {
  expect(read("list", "a a.test\n", "A.test b.test").lines).toEqual(["a|default_server|a.test", "@others||b.test"]);
});

test.each([
  "a.test;return",
  "a.test}",
  "$host.test",
  "a.test|b.test",
  "../../etc/passwd.test",
  "a/b.test",
  "-a.test",
  "a..test",
  "a_b.test",
  "*.*.test",
  "w*.test",
  "localhost",
  '"a.test"',
  "a.test\\",
  `${"a".repeat(64)}.test`,
  `${"abcdefg.".repeat(32)}test`,
  "münchen.test",
  ":",
])("refuses the name %s and keeps the others of its line", (word) => {
  const { lines, complaints } = read("list", `shop shop.test ${word} www.shop.test\n`);
  expect(lines[0]).toBe("shop|default_server|shop.test www.shop.test");
  expect(complaints).toContain("is not a domain name or an IP address; it is left out.");
});

test.each(["../shop", ".hidden", "-rf", "a/b", "@others", "a;b", "$(id)", "a|b"])(
  "refuses the certificate name %s with its line",
  (lineage) => {
    const { lines, complaints } = read("list", `${lineage} shop.test\nother other.test\n`);
    expect(lines).toEqual(["other|default_server|other.test", "@others||_"]);
    expect(complaints).toContain("is not a certificate's name");
  },
);

test("a certificate that is there twice counts once", () => {
  const { lines, complaints } = read("list", "shop a.test\nshop b.test\n");
  expect(lines[0]).toBe("shop|default_server|a.test");
  expect(complaints).toContain('"shop" in list is there twice');
});

test("control characters of a refused word are not printed", () => {
  expect(read("list", "shop shop.test \u001b[31mred\n").complaints).toContain('"?[31mred"');
});

test("CERTBOT_DOMAIN's certificates are called after their first names", () => {
  const { lines } = read("CERTBOT_DOMAIN", "Shop.test www.shop.test.\n*.api.test api.test\r\n");
  expect(lines).toEqual([
    "shop.test|default_server|shop.test www.shop.test",
    "api.test||*.api.test api.test",
    "@others||_",
  ]);
});

test("the placeholders of .env.example count as not set", () => {
  const { lines, complaints } = read("CERTBOT_DOMAIN", "your_domain.com\nexample.com\n");
  expect(lines).toEqual(["@others|default_server|_"]);
  expect(complaints).toBe("");
});
