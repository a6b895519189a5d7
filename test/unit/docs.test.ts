import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LOG_EVENTS } from "../../src/ports/index.ts";
import {
  fillExample,
  fillTables,
  findCodes,
  pages,
  readSources,
  roomsPicture,
  sentencesOf,
} from "../../scripts/docs.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const sources = readSources();
const codes = findCodes(sources);

// Without imports, lists of exports and comments, in which nothing is used.
const bare = new Map(
  sources.map(({ path, text }) => [
    path,
    text.replaceAll(/^(import|export (type )?\{)[^;]*;/gm, "").replaceAll(/^ *(\/\*|\*|\/\/).*$/gm, ""),
  ]),
);
const everything = [...bare.values()].join("\n");

test.each(pages(sources))("$path says what the code says", async ({ path, render }) => {
  const text = readFileSync(join(ROOT, path), "utf8");
  expect(text, `${path} is stale: run npm run docs`).toBe(await render(text));
});

describe("npm run docs", () => {
  const from = (...lines: readonly string[]) => findCodes([{ path: "src/a.ts", text: lines.join("\n") }]);
  const told = (...lines: readonly string[]) => Object.fromEntries(sentencesOf(from(...lines)));

  test("takes a code's sentence from the doc comment of its class or function, or from the comment at the row", () => {
    expect(
      told(
        "/**\n * One\n *\n * and two.\n */\nexport class AError extends OperatorError {",
        '  readonly code = "A";\n}',
        'const ROWS = [\n  {\n    // Three\n    // and four.\n    code: "B",\n  },\n  { code: "B", remedy: "r" },',
        '  {\n    code: "C", // Five.\n  },\n];',
        '/** Six. */\nexport function failed() {\n  return new SomeError({ code: "D", message });\n}',
      ),
    ).toEqual({ A: "One and two.", B: "Three and four.", C: "Five.", D: "Six." });
  });

  test.each([
    ["none", 'export class AError {\n  readonly code = "A_B";\n}'],
    ["none, though the function has one", '/** One. */\nfunction give() {\n  return {\n    code: "A_B",\n  };\n}'],
    ["two", 'const a = {\n  code: "A_B", // One.\n};\nconst b = {\n  code: "A_B", // Two.\n};'],
    ["half a one", 'const a = {\n  code: "A_B", // never thrown\n};'],
  ])("refuses a code with %s", (_, text) => {
    expect(() => told(text)).toThrow(/^A_B needs one comment of whole sentences, in src\/a\.ts \(\w+\)/);
  });

  test("draws no arrow between rooms where others lead there, nor for what is in a room itself", () => {
    const room = (path: string, ...imported: readonly string[]) => ({
      path: `src/${path}`,
      text: imported.map((from) => `import { x } from "${from}";`).join("\n"),
    });
    const drawn = roomsPicture([
      room("a/x.ts", "../b/index.ts", "../c/index.ts", "./y.ts"),
      room("b/deep/x.ts", "../../c/index.ts", "../index.ts"),
      room("main.ts", "./a/index.ts"),
    ]);
    expect(drawn.split("\n").filter((line) => line.includes("-->"))).toEqual(["  a --> b", "  b --> c"]);
  });

  test("refuses a page without a place for what it has to say", async () => {
    await expect(fillTables("<!-- npm run docs: b -->\n\n<!-- end -->", { a: "| a |" })).rejects.toThrow("table of a");
    const unended = "<!-- npm run docs: a -->\n\nby hand\n\n<!-- npm run docs: b -->\n\n<!-- end -->";
    await expect(fillTables(unended, { a: "| a |" })).rejects.toThrow("table of a");
    expect(() => fillExample("A=\n\n# --- nginx ---\n", [])).toThrow('no section "Certificates"');
  });

  test("writes a table as often as it likes, and what is around it never", async () => {
    const page = "above\n\n<!-- npm run docs: a -->\n<!-- end -->\n\nbelow\n";
    const written = await fillTables(page, { a: "| a |\n| --- |\n| $& `b\\|c` |" });
    expect(written).toContain("above\n\n<!-- npm run docs: a -->\n\n| a");
    expect(written).toContain("| $& `b\\|c` |\n\n<!-- end -->\n\nbelow\n");
    expect(await fillTables(written, { a: "| a |\n| --- |\n| $& `b\\|c` |" })).toBe(written);
  });
});

test("every error code belongs to a failure that something makes", () => {
  const unused = codes.filter(({ holder, path }) => {
    const isExported = new RegExp(`^export .*\\b${holder}\\b`, "m").test(bare.get(path) ?? "");
    const uses = (isExported ? everything : (bare.get(path) ?? "")).matchAll(new RegExp(`\\b${holder}\\b`, "g"));
    return [...uses].length < 2;
  });
  expect(unused).toEqual([]);
  expect(codes.length).toBeGreaterThan(80);
});

test("every class of errors is made somewhere", () => {
  const names = [...everything.matchAll(/^(?:export )?class (\w+) extends \w*(?:Error|Problem)\b/gm)];
  expect(names.length).toBeGreaterThan(30);
  expect(names.flatMap(([, name = ""]) => (everything.includes(`new ${name}(`) ? [] : [name]))).toEqual([]);
});

test("every event is logged somewhere, and they are in order", () => {
  const events = Object.keys(LOG_EVENTS);
  // The one lists them, the other one words them for people.
  const logging = sources.filter(({ path }) => !["src/ports/log.ts", "src/commands/progress-log.ts"].includes(path));
  const silent = events.filter((event) => {
    const isNamed = logging.some(({ text }) => text.includes(`"${event}"`));
    const isOutcome = event === "lineage.issued" || event === "lineage.renewed";
    return !isNamed && !isOutcome;
  });
  expect(silent).toEqual([]);
  expect(events).toEqual(events.toSorted((a, b) => (a < b ? -1 : 1)));
});
