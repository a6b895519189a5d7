import { isDeepStrictEqual } from "node:util";

/** A value of certbot's renewal conf: one text, or a list (`a, b`; a list of one is `a,`). */
export type ConfValue = string | readonly string[];

type Line = {
  readonly text: string;
  /** Path of the section the line is in; for a header, of the section it begins. */
  readonly section: string;
  readonly entry?: Entry | undefined;
};

type Entry = {
  readonly key: string;
  readonly value: ConfValue;
  /** What stands behind the value, with the blanks before its `#`. */
  readonly comment: string;
};

// The `s` is for U+2028 and U+2029, which end no line for configobj. No part may begin or end where its neighbour could go on
// as well: a line that fits nowhere would be tried in as many ways as its length squared. So names keep their last blanks.
const HEADER = /^\s*(\[+)(?!\[)\s*("[^"]*"\s*|'[^']*'\s*|[^'"\s](?:[^\]]|\]+(?!\]|\s*(?:#|$)))*)(\]+)\s*(?:#.*)?$/s;
const ENTRY = /^\s*("[^"]*"\s*|'[^']*'\s*|[^'"=\s][^=]*)=(.*)$/s;
const BLANK_OR_COMMENT = /^\s*(?:#.*)?$/s;
const TRIPLE = /^(?:'''|""")/;

/**
 * certbot's `renewal/<name>.conf`, in configobj's format: entries, `[section]`, `[[section in it]]`, quoted values, lists,
 * comments. Lines that no call changes are written back as they were read, and all lines end as the first one does (a
 * carriage return too, as Windows editors write it). Section paths are joined by a slash, the top
 * is the empty path. Interpolation (`%(name)s`) is not done: certbot writes none.
 */
export class RenewalConf {
  #lines: Line[];
  readonly #lineEnd: string;

  /** Throws an Error that names the line when the text isn't a conf. */
  constructor(text: string) {
    this.#lines = readLines(text);
    this.#lineEnd = /^[^\n]*\r\n/.test(text) ? "\r\n" : "\n";
  }

  /** The value of the first entry of that name; undefined when there is none. */
  get(section: string, key: string): ConfValue | undefined {
    return this.#lines.find((line) => line.section === section && line.entry?.key === key)?.entry?.value;
  }

  /** The first text of an entry; certbot writes "None" for an option that is off. */
  text(section: string, key: string): string | undefined {
    const [one] = [this.get(section, key) ?? []].flat();
    return one === "None" || one === "" ? undefined : one;
  }

  hasSection(section: string): boolean {
    return this.#lines.some((line) => line.section === section);
  }

  /** The paths of the sections, in order, each once. */
  sections(): string[] {
    return [...new Set(this.#lines.map((line) => line.section))];
  }

  /** All texts of an entry. */
  texts(section: string, key: string): string[] {
    return [this.get(section, key) ?? []].flat();
  }

  /** The entries' names of a section, in order. */
  keys(section: string): string[] {
    return this.#lines.flatMap((line) => (line.section === section && line.entry ? [line.entry.key] : []));
  }

  /** Changes or adds an entry: its line keeps indentation and comment, and one that already has this value its quotes too. */
  set(section: string, key: string, value: ConfValue): void {
    const known = this.get(section, key);
    // certbot reads `a` and `a,` alike where it wants a list.
    if (known !== undefined && isDeepStrictEqual([known].flat(), [value].flat())) return;
    const index = this.#lines.findIndex((one) => one.section === section && one.entry?.key === key);
    const before = this.#lines[index];
    const indent = /^\s*/.exec(before?.text ?? "")?.[0] ?? "";
    const comment = before?.entry?.comment.replace(/^#/, " #") ?? "";
    const text = `${indent}${formatText(key)} = ${formatValue(value)}${comment}`;
    const line = { text, section, entry: { key, value, comment } };
    if (index >= 0) this.#lines[index] = line;
    else this.#lines.splice(this.#endOfEntries(section), 0, line);
  }

  /** Takes the entries away whose names are `isLeaving`. */
  remove(section: string, isLeaving: (key: string) => boolean): void {
    this.#lines = this.#lines.filter((line) => line.section !== section || !line.entry || !isLeaving(line.entry.key));
  }

  /** Adds an empty section where there is none, after what belongs to its parent, below a comment where one is given. */
  addSection(section: string, comment?: string): void {
    if (this.hasSection(section)) return;
    const names = section.split("/");
    const parent = names.slice(0, -1).join("/");
    const depth = names.length;
    const header = { text: `${"[".repeat(depth)}${formatText(names.at(-1) ?? "")}${"]".repeat(depth)}`, section };
    const above = comment === undefined ? [] : ["", `# ${comment}`].map((text) => ({ text, section: parent }));
    this.#lines.splice(this.#endOfSection(parent), 0, ...above, header);
  }

  toString(): string {
    return this.#lines.map((line) => `${line.text}\n`.replaceAll("\n", this.#lineEnd)).join("");
  }

  // Entries of a section must stand before the sections inside it.
  #endOfEntries(section: string): number {
    const lastEntry = this.#lines.findLastIndex((line) => line.section === section && line.entry);
    const header = this.#lines.findIndex((line) => line.section === section);
    return (lastEntry >= 0 ? lastEntry : section === "" ? -1 : header) + 1;
  }

  #endOfSection(section: string): number {
    if (section === "") return this.#lines.length;
    const isInside = (line: Line) => line.section === section || line.section.startsWith(`${section}/`);
    const last = this.#lines.findLastIndex((line) => isInside(line) && !BLANK_OR_COMMENT.test(line.text));
    return last + 1;
  }
}

function readLines(text: string): Line[] {
  const texts = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (texts.at(-1) === "") texts.pop();
  const lines: Line[] = [];
  let path: string[] = [];
  for (let index = 0; index < texts.length; index += 1) {
    const { text: whole, extra } = joinTriple(texts, index);
    const header = HEADER.exec(whole);
    if (header) path = enterSection(path, header, index);
    const section = path.join("/");
    const isPlain = header !== null || BLANK_OR_COMMENT.test(whole);
    lines.push(isPlain ? { text: whole, section } : { text: whole, section, entry: readEntry(whole, index) });
    index += extra;
  }
  return lines;
}

// A value in triple quotes may go over several lines; certbot writes none, but an operator may have.
function joinTriple(texts: readonly string[], index: number): { text: string; extra: number } {
  const text = texts[index] ?? "";
  const quote = TRIPLE.exec(ENTRY.exec(text)?.[2]?.trim() ?? "")?.[0];
  if (quote === undefined || text.split(quote).length > 2) return { text, extra: 0 };
  // Not all from the top: that would make a long text cost its length squared.
  let end = index + 1;
  for (; end < texts.length; end += 1) if (texts[end]?.includes(quote)) break;
  if (end === texts.length) throw new Error(`line ${index + 1}: the value that begins with ${quote} has no end`);
  return { text: texts.slice(index, end + 1).join("\n"), extra: end - index };
}

function enterSection(path: readonly string[], header: RegExpExecArray, index: number): string[] {
  const [, opening = "", name = "", closing = ""] = header;
  const depth = opening.length;
  if (depth !== closing.length || depth > path.length + 1)
    throw new Error(`line ${index + 1}: not a section: ${header[0]}`);
  return [...path.slice(0, depth - 1), unquote(name.trimEnd())];
}

function readEntry(text: string, index: number): Entry {
  const entry = ENTRY.exec(text.includes("\n") ? text.replaceAll("\n", " ") : text) ?? [];
  const [, key, value] = entry.map((part) => part.trim());
  if (key === undefined || value === undefined)
    throw new Error(`line ${index + 1}: not "name = value": ${text.trim()}`);
  if (!TRIPLE.test(value)) return { key: unquote(key), ...readValue(value, index) };
  const [whole = "", comment = ""] = value.slice(3).split(value.slice(0, 3));
  return { key: unquote(key), value: whole, comment };
}

// Items are quoted or end at a comma; `#` outside quotes begins a comment; a final comma makes a list of what is before it.
function readValue(text: string, index: number): Omit<Entry, "key"> {
  const items: string[] = [];
  let hasComma = false;
  let rest = text;
  while (rest !== "" && !rest.startsWith("#")) {
    const match = /^(?:"([^"]*)"|'([^']*)'|([^'",#][^,#]*)|(?=,))\s*(,|$|(?=#))\s*/.exec(rest);
    if (!match) throw new Error(`line ${index + 1}: quotes or commas don't match in: ${text}`);
    const item = match[1] ?? match[2] ?? match[3]?.trim();
    if (item !== undefined) items.push(item);
    hasComma ||= match[4] === ",";
    rest = rest.slice(match[0].length);
  }
  const written = text.slice(0, text.length - rest.length).trimEnd();
  return { value: hasComma ? items : (items[0] ?? ""), comment: text.slice(written.length) };
}

function unquote(text: string): string {
  return /^(?:"[^"]*"|'[^']*')$/.test(text) ? text.slice(1, -1) : text;
}

function formatValue(value: ConfValue): string {
  if (typeof value === "string") return formatText(value);
  return value.length === 1 ? `${formatText(value[0] ?? "")},` : value.map(formatText).join(", ") || ",";
}

function formatText(text: string): string {
  if (text !== "" && !/[,#'"\r\n=[\]]|^\s|\s$/.test(text)) return text;
  const quote = text.includes('"') ? "'" : '"';
  if (text.includes(quote) || /[\r\n]/.test(text)) throw new Error(`can't be written to a renewal conf: ${text}`);
  return `${quote}${text}${quote}`;
}
