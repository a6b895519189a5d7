import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MistakeList } from "../../../src/settings/mistake.ts";
import { readWanted, splitDomainList } from "../../../src/settings/domains.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";

function wantedOf(CERTBOT_DOMAIN: string): { name: string; names: string[] }[] {
  const { wanted } = configOf({ CERTBOT_DOMAIN });
  return wanted.map(({ name, identifiers }) => ({ name, names: identifiers.map(({ value }) => value) }));
}

function problemsOf(CERTBOT_DOMAIN: string): string[] {
  return mistakesOf({ CERTBOT_DOMAIN }).map(({ problem }) => problem);
}

describe("a list of names", () => {
  test.each([
    ["a.test", [{ name: "a.test", names: ["a.test"] }]],
    ["a.test,www.a.test", [{ name: "a.test", names: ["a.test", "www.a.test"] }]],
    [" a.test  www.a.test,, b.test,", [{ name: "a.test", names: ["a.test", "www.a.test", "b.test"] }]],
    [
      "a.test,www.a.test;b.test",
      [
        { name: "a.test", names: ["a.test", "www.a.test"] },
        { name: "b.test", names: ["b.test"] },
      ],
    ],
    [
      "a.test\r\n\r\nb.test;\n;",
      [
        { name: "a.test", names: ["a.test"] },
        { name: "b.test", names: ["b.test"] },
      ],
    ],
    [`"a.test, b.test"`, [{ name: "a.test", names: ["a.test", "b.test"] }]],
    ["'a.test'", [{ name: "a.test", names: ["a.test"] }]],
    ["A.Test.,a.test", [{ name: "a.test", names: ["a.test"] }]],
    ["bücher.test", [{ name: "xn--bcher-kva.test", names: ["xn--bcher-kva.test"] }]],
    ["BÜCHER。test, Bücher.test xn--bcher-kva.test", [{ name: "xn--bcher-kva.test", names: ["xn--bcher-kva.test"] }]],
    ["faß.test,fass.test", [{ name: "xn--fa-hia.test", names: ["xn--fa-hia.test", "fass.test"] }]],
    ["💩.test", [{ name: "xn--ls8h.test", names: ["xn--ls8h.test"] }]],
    ["", []],
    [" ; , ", []],
  ])("reads %j", (text, wanted) => {
    expect(wantedOf(text)).toEqual(wanted);
  });

  test("may hold one name in two certificates", () => {
    expect(wantedOf("a.test,www.test;b.test,www.test")).toHaveLength(2);
  });

  test("splits any text without throwing, into names that hold no separator", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", ".", ",", ";", " ", "\n", "\r", "\t") }), (text) => {
        const names = splitDomainList(text).flat();
        expect(names.every((name) => /^[^\s,;]+$/.test(name))).toBe(true);
        expect(names.join("")).toBe(text.replace(/[\s,;]/g, ""));
      }),
    );
  });

  test("gives every name once, in the order typed, however it is separated", () => {
    const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
    const names = fc.uniqueArray(label, { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(names, fc.constantFrom(",", " ", ", ", "\t", ",,"), (labels, separator) => {
        const typed = labels.map((first) => `${first}.test`);
        expect(wantedOf(typed.join(separator))).toEqual([{ name: typed[0], names: typed }]);
      }),
    );
  });

  test("of which the first is too long for a file's name gives the certificate a name of its own that isn't", () => {
    const long = (end: string) => `${`${"n".repeat(63)}.`.repeat(3)}${end.repeat(40)}.test`;
    const [one, other] = wantedOf(`${long("a")};${long("b")}`);
    expect(one?.names).toEqual([long("a")]);
    expect(one?.name).toMatch(/^n{63}\.[n.]{116}-[0-9a-f]{16}$/);
    expect(wantedOf(long("a"))).toEqual([one]);
    expect(other?.name).not.toBe(one?.name);
  });

  test("is read or refused, never thrown at, whatever it holds", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 5 }), { maxLength: 5 }),
        (certificates) => {
          const mistakes = new MistakeList();
          const typed = certificates.map((names) => names.map((text) => ({ text, setting: "CERTBOT_DOMAIN" })));
          const wanted = readWanted(typed, mistakes);
          expect(wanted.length === certificates.length || mistakes.all.length > 0).toBe(true);
        },
      ),
    );
  });
});

describe("a name that no order can be placed for", () => {
  test.each(["your_domain.com", "example.com", "www.example.com", "shop.example.org", "EXAMPLE.NET."])(
    "is refused with what to write instead where it is the placeholder %s",
    (name) => {
      expect(problemsOf(name)).toEqual([expect.stringContaining("CERTBOT_DOMAIN=www.your-site.org")]);
    },
  );

  test.each(["my-example.com", "example.company", "your-domain.com"])("is not taken for a placeholder: %s", (name) => {
    expect(problemsOf(name)).toEqual([]);
  });

  test("is refused where it is a wildcard, with the challenge that it needs", () => {
    expect(problemsOf("*.a.test")).toEqual([expect.stringContaining("DNS-01")]);
  });

  test.each([
    "https://a.test",
    "a.test/x",
    "a.test:443",
    "localhost",
    "a_b.test",
    "-a.test",
    "a..test",
    "a.*.test",
    "1.2.3",
    "１９２.0.2.1",
    "ü*.test",
    `${"ü".repeat(60)}.test`,
  ])("is named in the message: %s", (name) => {
    expect(mistakesOf({ CERTBOT_DOMAIN: `ok.test,${name}` })).toEqual([
      expect.objectContaining({ setting: "CERTBOT_DOMAIN", value: name }),
    ]);
  });
});

describe("certificates that collide", () => {
  test.each(["a.test,b.test;b.test,a.test", "a.test;A.test."])(
    "are refused where they hold the same names: %s",
    (text) => {
      expect(problemsOf(text)).toEqual(["asks for the same certificate twice; take one out"]);
    },
  );

  test("are refused where they would have the same name", () => {
    expect(mistakesOf({ CERTBOT_DOMAIN: "a.test,b.test;a.test,c.test" })).toEqual([
      expect.objectContaining({ value: "a.test,c.test", problem: expect.stringContaining("begins with a.test") }),
    ]);
  });

  test("are not made of certificates whose other names are wrong", () => {
    expect(problemsOf("a.test,nodot;a.test")).toEqual([expect.stringContaining("has no dot")]);
  });

  test("with more than 100 names in one are refused, with the way to split it", () => {
    const names = Array.from({ length: 101 }, (_, index) => `n${index}.test`);
    expect(problemsOf(names.join(","))).toEqual([expect.stringContaining("start a further certificate with ;")]);
    expect(problemsOf(names.slice(1).join(","))).toEqual([]);
  });
});
