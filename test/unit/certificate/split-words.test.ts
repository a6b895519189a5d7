import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitWords, UnterminatedQuoteError } from "../../../src/certificate/split-words.ts";

test.each([
  ["", []],
  ["  \t\r\n ", []],
  ["--dry-run  -v\n-n", ["--dry-run", "-v", "-n"]],
  [`--deploy-hook "nginx -s reload"`, ["--deploy-hook", "nginx -s reload"]],
  [`--deploy-hook='a & b'`, ["--deploy-hook=a & b"]],
  [`a"b c"'d e'f`, ["ab cd ef"]],
  [`'' "" x`, ["", "", "x"]],
  [`a\\ b \\"c \\\\`, ["a b", '"c', "\\"]],
  [`"a\\"b" "a\\nb" "\\$x" '\\'`, ['a"b', "a\\nb", "$x", "\\"]],
  ["a\\\nb", ["ab"]],
  ["a \\\n b", ["a", "b"]],
  [`"a\\\nb"`, ["ab"]],
  ["end\\", ["end\\"]],
])("splits %j as a POSIX shell does", (text, words) => {
  expect(splitWords(text)).toEqual(words);
});

test.each(["$(touch", "`id`", "a|b", "&", ";", "*", "~", "#", "${X}", "$X", ">f", "{a,b}", "!1"])(
  "takes %s for plain characters and never evaluates it",
  (word) => {
    expect(splitWords(`--x ${word} y`)).toEqual(["--x", word, "y"]);
  },
);

test.each([
  ["--x 'abc", "opens a ' at character 5 and never closes it"],
  [`"a b`, `opens a " at character 1 and never closes it`],
  [`"a\\"`, `opens a " at character 1 and never closes it`],
])("says where the quote in %j is that nothing closes", (text, message) => {
  expect(() => splitWords(text)).toThrow(UnterminatedQuoteError);
  expect(() => splitWords(text)).toThrow(message);
});

test("gives back any words that were put in single quotes", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
      expect(splitWords(quoted)).toEqual(words);
    }),
  );
});

test("gives back any words that were put in double quotes", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      const quoted = words.map((word) => `"${word.replace(/[$`"\\]/g, String.raw`\$&`)}"`).join("\t");
      expect(splitWords(quoted)).toEqual(words);
    }),
  );
});

function lengthAfterSplit(text: string): number {
  try {
    return splitWords(text).join("").length;
  } catch (thrown) {
    if (thrown instanceof UnterminatedQuoteError) return 0;
    throw thrown;
  }
}

test("throws nothing but its own error, whatever the text", () => {
  const awkward = fc.string({ unit: fc.constantFrom("a", " ", "\n", "'", '"', "\\", "$", "`", ";", "=", "-") });
  fc.assert(
    fc.property(awkward, (text) => {
      expect(lengthAfterSplit(text)).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 1000 },
  );
});
