// Writes what docs/ and .env.example say of settings, options, events and error codes, all of which stands in the code.
// Tables go between `<!-- npm run docs: NAME -->` and `<!-- end -->`; whatever is around them is written by hand.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { KINDS } from "../src/app/build.ts";
import { type OptionRow, OPTIONS, settingsWith } from "../src/settings/index.ts";
import { LOG_EVENTS, type SettingRow } from "../src/ports/index.ts";

const ROOT = new URL("../", import.meta.url);

/** One file of the source. */
export type Source = { readonly path: string; readonly text: string };

/** A place in the source that gives a failure its code. */
export type CodeUse = {
  readonly code: string;
  /** What the comment there says to operators; undefined for a row without one. */
  readonly sentence: string | undefined;
  readonly path: string;
  /** The top-level class, function or constant around it. */
  readonly holder: string;
};

/** A file that is written from the code, all of it or in part; `render` makes its new text of the one that it has. */
export type Page = { readonly path: string; readonly render: (text: string) => Promise<string> };

/** All files of src. */
export function readSources(): Source[] {
  const paths = readdirSync(new URL("src", ROOT), { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => ({ path: `src/${path}`, text: readFileSync(new URL(`src/${path}`, ROOT), "utf8") }));
}

/** All files that `npm run docs` writes. */
export function pages(sources: readonly Source[]): Page[] {
  const settings = settingsWith(KINDS);
  const tables = { settings: settingsTable(settings), options: optionsTable(OPTIONS) };
  return [
    { path: "docs/settings.md", render: (text) => fillTables(text, tables) },
    { path: "docs/events.md", render: (text) => fillTables(text, { events: eventsTable(LOG_EVENTS) }) },
    {
      path: "docs/errors.md",
      render: (text) => fillTables(text, { codes: codesTable(sentencesOf(findCodes(sources))) }),
    },
    { path: "docs/ARCHITECTURE.md", render: (text) => fillTables(text, { rooms: roomsPicture(sources) }) },
    { path: ".env.example", render: async (text) => fillExample(text, settings) },
  ];
}

/** A page with its tables written anew, as prettier lays them out. Throws unless it has a place for each. */
export async function fillTables(page: string, tables: Readonly<Record<string, string>>): Promise<string> {
  let text = page;
  for (const [name, table] of Object.entries(tables)) {
    const place = new RegExp(`(<!-- npm run docs: ${name} -->\n)(?:(?!<!-- npm)[^])*?(<!-- end -->)`);
    if (!place.test(text))
      throw new Error(`There is no place for the table of ${name}: <!-- npm run docs: ${name} -->`);
    text = text.replace(place, (_, start: string, end: string) => `${start}\n${table}\n\n${end}`);
  }
  const options = await resolveConfig(new URL("docs/page.md", ROOT));
  return format(text, { ...options, parser: "markdown" });
}

/**
 * The rooms of the house as a Mermaid picture: an arrow for each room that another one imports, but where other arrows lead there.
 * Rooms import each other in no circle: `imports.test.ts` sees to it.
 */
export function roomsPicture(sources: readonly Source[]): string {
  const roomOf = (path: string) => /^src\/([a-z]+)\//.exec(path)?.[1] ?? "";
  const arrows = sources.flatMap(({ path, text }) => {
    const door = new RegExp(`from "${"../".repeat(path.split("/").length - 2)}([a-z]+)/index\\.ts"`, "g");
    return [...text.matchAll(door)].map(([, to = ""]) => [roomOf(path), to] as const);
  });
  const next = (room: string) => [...new Set(arrows.filter(([from]) => from === room).map(([, to]) => to))];
  const leadsTo = (from: string, to: string): boolean => next(from).some((one) => one === to || leadsTo(one, to));
  const rooms = [...new Set(arrows.map(([from]) => from))].filter(Boolean).sort();
  const shown = rooms.flatMap((from) =>
    next(from)
      .filter((to) => !next(from).some((one) => leadsTo(one, to)))
      .sort()
      .map((to) => `  ${from} --> ${to}`),
  );
  return ["```mermaid", "graph LR", ...shown, "```"].join("\n");
}

/** The table of settings. */
export function settingsTable(rows: readonly SettingRow[]): string {
  const cells = rows.map(({ name, defaultText, doc }) => [
    `\`${name}\``,
    defaultText === undefined ? "none" : `\`${defaultText}\``,
    doc,
  ]);
  return table(["name", "default", "meaning"], cells);
}

const placeOf = (verb: string) => (verb === "settings" ? "`CERTBOT_OPTIONS`" : `\`${verb}\``);

/** The table of options. */
export function optionsTable(rows: readonly OptionRow[]): string {
  const cells = rows.map(({ name, also = [], value, verbs, doc }) => {
    const spellings = [name, ...also].map((spelling) => `\`${spelling}\``).join(", ");
    return [
      value === undefined ? spellings : `${spellings} ${value}`,
      verbs.length > 1 ? "both" : verbs.map(placeOf).join(),
      doc,
    ];
  });
  return table(["option", "where", "meaning"], cells);
}

/** The table of log events. */
export function eventsTable(events: Readonly<Record<string, string>>): string {
  return table(
    ["event", "what has happened"],
    Object.entries(events).map(([event, doc]) => [`\`${event}\``, doc]),
  );
}

/** The table of error codes. */
export function codesTable(sentences: ReadonlyMap<string, string>): string {
  return table(
    ["code", "what it means"],
    [...sentences].map(([code, sentence]) => [`\`${code}\``, sentence]),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, heads.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
}

/**
 * Every place in the source that says `code = "…"` (a class, whose doc comment is the sentence) or `code: "…"` (a row, with
 * the sentence as a `//` comment behind it or right above; in a function that makes one failure, its doc comment).
 */
export function findCodes(sources: readonly Source[]): CodeUse[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, at) => {
      // A system error has a name like ENOENT.
      const [, sign, code] = /\bcode(?:: string)?( =|:) "(?!E[A-Z]+")([A-Z_]+)"/.exec(line) ?? [];
      if (code === undefined) return [];
      const start = lines.findLastIndex((above, i) => i <= at && DECLARATION.test(above));
      const isRow = sign === ":" && !/^ {2}return new \w+Error\(/.test(line);
      const sentence = isRow ? rowComment(lines, at) : docComment(lines, start);
      return [{ code, sentence, path, holder: DECLARATION.exec(lines[start] ?? "")?.[1] ?? "" }];
    });
  });
}

const DECLARATION = /^(?:export )?(?:abstract |async )*(?:class|const|function) (\w+)/;

function rowComment(lines: readonly string[], at: number): string | undefined {
  const behind = / \/\/ (.*)$/.exec(lines[at] ?? "")?.[1];
  const first = lines.findLastIndex((line, i) => i < at && !/^ *\/\/ /.test(line)) + 1;
  const above = lines.slice(first, at).map((line) => line.replace(/^ *\/\/ /, ""));
  return behind ?? (above.length === 0 ? undefined : above.join(" "));
}

function docComment(lines: readonly string[], end: number): string | undefined {
  if (lines[end - 1]?.endsWith("*/") !== true) return undefined;
  const start = lines.findLastIndex((line, i) => i < end && line.startsWith("/**"));
  const inside = lines.slice(start, end).join("\n").slice("/**".length, -"*/".length);
  return inside
    .split(/(?:\n \*|\s)+/)
    .join(" ")
    .trim();
}

/** What each code means, by code. Throws for one that no comment, or two that differ, or no whole sentence explain. */
export function sentencesOf(uses: readonly CodeUse[]): ReadonlyMap<string, string> {
  const codes = [...new Set(uses.map(({ code }) => code))].sort();
  return new Map(
    codes.map((code) => {
      const told = uses.filter((use) => use.code === code);
      const found = [...new Set(told.flatMap(({ sentence }) => sentence ?? []))];
      const [sentence = ""] = found;
      if (found.length === 1 && sentence.endsWith(".")) return [code, sentence] as const;
      const places = told.map(({ path, holder }) => `${path} (${holder})`).join(", ");
      throw new Error(`${code} needs one comment of whole sentences, in ${places}; it has ${JSON.stringify(found)}`);
    }),
  );
}

/**
 * `.env.example` with the sidecar's settings written anew in their two sections: each as a comment with its default. Those
 * with a line that is in force, at the file's top, are only explained.
 */
export function fillExample(example: string, rows: readonly SettingRow[]): string {
  const isDocker = ({ name }: SettingRow) => name.startsWith("DOCKER_");
  const general = rows.filter((row) => !isDocker(row));
  return fillSection(fillSection(example, "Certificates", general), "Docker Engine", rows.filter(isDocker));
}

function fillSection(example: string, heading: string, rows: readonly SettingRow[]): string {
  const place = new RegExp(`(\n# --- ${heading}.* -+\n\n)[^]*?(?=\n# --- )`);
  if (!place.test(example)) throw new Error(`.env.example has no section "${heading}"`);
  const entries = rows.map(({ name, defaultText = "", doc }) => {
    const isInForce = new RegExp(`^${name}=`, "m").test(example);
    return isInForce ? comment(`${name}: ${doc}`) : `${comment(doc)}\n# ${name}=${defaultText}`;
  });
  return example.replace(place, (_, start: string) => `${start}${entries.join("\n\n")}\n`);
}

const WIDTH = 120;

function comment(markdown: string): string {
  const lines = ["#"];
  for (const word of markdown.replaceAll("`", "").split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(`# ${word}`);
  }
  return lines.join("\n");
}

if (import.meta.main) {
  for (const page of pages(readSources())) {
    const file = new URL(page.path, ROOT);
    writeFileSync(file, await page.render(readFileSync(file, "utf8")));
  }
}
