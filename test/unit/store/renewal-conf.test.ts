import { array, assert, oneof, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { RenewalConf } from "../../../src/store/renewal-conf.ts";

const CERTBOT = `# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = /etc/letsencrypt/archive/a.test

# Options used in the renewal process
[renewalparams]
account = 0123
webroot_path = /var/www/html,   # ours
renew_hook = "echo 'a, b' # no comment"
pre_hook = 'say "x"'
[[webroot_map]]
a.test = /var/www/html
"b,c.test" = /srv
[acme_renewal_info]
ari_retry_after = 2026-01-01T00:00:00
`;

describe("a renewal conf", () => {
  test("gives back, byte for byte, what nobody has changed", () => {
    expect(new RenewalConf(CERTBOT).toString()).toBe(CERTBOT);
  });

  test("reads quoted values, lists, comments and nested sections as configobj does", () => {
    const conf = new RenewalConf(CERTBOT);
    expect(conf.get("", "version")).toBe("2.1.0");
    expect(conf.get("renewalparams", "webroot_path")).toEqual(["/var/www/html"]);
    expect(conf.get("renewalparams", "renew_hook")).toBe("echo 'a, b' # no comment");
    expect(conf.get("renewalparams", "pre_hook")).toBe('say "x"');
    expect(conf.keys("renewalparams/webroot_map")).toEqual(["a.test", "b,c.test"]);
    expect(conf.get("acme_renewal_info", "ari_retry_after")).toBe("2026-01-01T00:00:00");
    expect(conf.get("renewalparams", "a.test")).toBeUndefined();
  });

  test.each([
    ["x = ,", []],
    ["x = a, b", ["a", "b"]],
    ["x = a, 'b, c',", ["a", "b, c"]],
    ["x = ", ""],
    ['x = ""', ""],
    ["x = a b # c", "a b"],
    ["x = http://a:14000/dir?q=1", "http://a:14000/dir?q=1"],
    ["  x=a=b", "a=b"],
    ["x = '''a # b'''", "a # b"],
    ["\uFEFFx = a\r", "a"],
  ])("reads %j", (line, value) => {
    expect(new RenewalConf(`${line}\n`).get("", "x")).toEqual(value);
  });

  test("keeps a value of several lines whole", () => {
    const text = 'x = """a\n[not a section]\nb"""\ny = 1\n';
    const conf = new RenewalConf(text);
    expect(conf.get("", "y")).toBe("1");
    expect(conf.toString()).toBe(text);
  });

  test.each([
    ["key alone", /line 1: not "name = value": key alone/],
    ["[a", /line 1/],
    ["[[a]]", /line 1: not a section/],
    ["[a]]", /line 1: not a section/],
    ['x = "a', /line 1: quotes or commas/],
    ['x = "a" b', /line 1: quotes or commas/],
    ['\nx = """a\nb', /line 2: the value that begins with """ has no end/],
  ])("says which line of %j is wrong", (text, message) => {
    expect(() => new RenewalConf(text)).toThrow(message);
  });

  test("changes only the line that was asked for", () => {
    const conf = new RenewalConf(CERTBOT);
    conf.set("renewalparams", "account", "4567");
    expect(conf.toString()).toBe(CERTBOT.replace("0123", "4567"));
  });

  test("keeps the indentation and the comment of a changed line", () => {
    const conf = new RenewalConf(
      "[a]\n  x = 1   # ask Bob\n\ty = '1' # a, #b\nz = 1, 2,# c\nv = # none\nw = '''1''' # d\n",
    );
    for (const key of conf.keys("a")) conf.set("a", key, "#2");
    expect(conf.toString()).toBe(
      '[a]\n  x = "#2"   # ask Bob\n\ty = "#2" # a, #b\nz = "#2" # c\nv = "#2" # none\nw = "#2" # d\n',
    );
    expect(conf.keys("a").map((key) => new RenewalConf(conf.toString()).get("a", key))).toEqual(Array(5).fill("#2"));
    conf.set("a", "x", "3");
    expect(conf.toString()).toContain("\n  x = 3   # ask Bob\n");
  });

  test("keeps a file's line ends", () => {
    const text = "[a]\r\nx = 1 # one\r\n# two\r\ny = '''1\r\n2'''\r\n";
    const conf = new RenewalConf(text);
    expect(conf.toString()).toBe(text);
    conf.set("a", "x", "2");
    conf.set("a", "z", "3");
    expect(conf.toString()).toBe(`${text.replace("1 # one", "2 # one")}z = 3\r\n`);
  });

  test("leaves a line alone that says the same already, in its own spelling", () => {
    const conf = new RenewalConf(CERTBOT);
    conf.set("renewalparams", "webroot_path", "/var/www/html");
    conf.set("renewalparams", "pre_hook", 'say "x"');
    expect(conf.toString()).toBe(CERTBOT);
  });

  test("adds entries before the section's inner sections", () => {
    const conf = new RenewalConf(CERTBOT);
    conf.set("renewalparams", "server", "https://a.test/dir");
    conf.set("renewalparams/webroot_map", "d.test", "/d");
    conf.set("", "privkey", "/k");
    const lines = conf.toString().split("\n");
    expect(lines[lines.indexOf("server = https://a.test/dir") + 1]).toBe("[[webroot_map]]");
    expect(lines[lines.indexOf("d.test = /d") + 1]).toBe("[acme_renewal_info]");
    expect(lines[lines.indexOf("privkey = /k") - 1]).toBe("archive_dir = /etc/letsencrypt/archive/a.test");
  });

  test("adds a section inside its parent, not behind another section", () => {
    const conf = new RenewalConf("[renewalparams]\nx = 1\n\n[other]\n");
    conf.addSection("renewalparams/webroot_map");
    conf.set("renewalparams/webroot_map", "a.test", "/w");
    expect(conf.toString()).toBe("[renewalparams]\nx = 1\n[[webroot_map]]\na.test = /w\n\n[other]\n");
  });

  test.each(["\u2028", "\u2029"])("takes %j inside a line as configobj does", (mark) => {
    const conf = new RenewalConf(`# a${mark}b\n[s${mark}t] # c${mark}d\nx = a${mark}b\ny = "${mark}" # c${mark}d\n`);
    expect(conf.get(`s${mark}t`, "x")).toBe(`a${mark}b`);
    expect(conf.get(`s${mark}t`, "y")).toBe(mark);
  });

  test("reads back any value it wrote", () => {
    const text = string({ unit: "binary" }).filter(
      (one) => !/[\r\n]|^\uFEFF/.test(one) && !(one.includes('"') && one.includes("'")),
    );
    assert(
      property(oneof(text, array(text)), (value) => {
        const conf = new RenewalConf("[renewalparams]\n");
        conf.set("renewalparams", "x", value);
        const again = new RenewalConf(conf.toString()).get("renewalparams", "x");
        expect(again).toEqual(value);
      }),
    );
  });

  test("refuses a value that no line can hold", () => {
    expect(() => new RenewalConf("").set("", "x", "a\nb")).toThrow("can't be written");
    expect(() => new RenewalConf("").set("", "x", `"'`)).toThrow("can't be written");
  });
});
