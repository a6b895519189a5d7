/** One directive of nginx's configuration; those that say nothing of servers and their certificates are left out. */
export type Directive = {
  readonly name: string;
  readonly args: readonly string[];
  readonly block?: readonly Directive[];
};

// What is kept; a configuration may have a hundred thousand lines of maps and lists beside it.
const KEPT = new Set(
  ["http", "stream", "mail", "server", "include", "listen", "server_name"].concat([
    "ssl",
    "ssl_certificate",
    "ssl_protocols",
    "ssl_ciphers",
  ]),
);

const DEEPEST = 100;

type Token = { readonly kind: "word"; readonly text: string } | { readonly kind: ";" | "{" | "}" | "end" };

/**
 * Reads one file of nginx's configuration as nginx does, but for what is an error to it: the rest of such a file is passed over.
 * Costs no more than the text's length. Throws RangeError for blocks in blocks without an end.
 */
export function lexNginx(text: string): Directive[] {
  return readBlock(new Lexer(text), { depth: 0, isKept: true });
}

function readBlock(lexer: Lexer, { depth, isKept }: { readonly depth: number; readonly isKept: boolean }): Directive[] {
  if (depth > DEEPEST) throw new RangeError("blocks in blocks");
  const directives: Directive[] = [];
  let words: string[] = [];
  for (;;) {
    const token = lexer.next();
    if (token.kind === "word") words.push(token.text);
    else if (token.kind === ";") {
      const [name = "", ...args] = words;
      if (isKept && KEPT.has(name)) directives.push({ name, args });
      words = [];
    } else if (token.kind === "{") {
      const [name = "", ...args] = words;
      const isWanted = isKept && KEPT.has(name);
      const block = readInside(lexer, name, { depth: depth + 1, isKept: isWanted });
      if (isWanted) directives.push({ name, args, block });
      words = [];
    } else return directives;
  }
}

function readInside(lexer: Lexer, name: string, where: Parameters<typeof readBlock>[1]): Directive[] {
  if (!name.endsWith("_by_lua_block")) return readBlock(lexer, where);
  lexer.skipLua();
  return [];
}

const SPACE = " \t\r\n";

class Lexer {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Token {
    this.#skipBlank();
    const text = this.#text;
    const first = text[this.#at];
    if (first === undefined) return { kind: "end" };
    if (first === ";" || first === "{" || first === "}") {
      this.#at += 1;
      return { kind: first };
    }
    return { kind: "word", text: first === '"' || first === "'" ? this.#quoted(first) : this.#bare() };
  }

  /** Passes over Lua, up to the brace that ends its block: braces in strings and comments are none. */
  skipLua(): void {
    for (let depth = 1; depth > 0 && this.#at < this.#text.length;) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      if (rest === "--") this.#skipLuaComment();
      else if (rest === "[[") this.#skipTo("]]");
      else if (rest.startsWith('"') || rest.startsWith("'")) this.#quoted(rest.charAt(0));
      else {
        depth += rest.startsWith("{") ? 1 : rest.startsWith("}") ? -1 : 0;
        this.#at += 1;
      }
    }
  }

  #skipLuaComment(): void {
    this.#skipTo(this.#text.startsWith("--[[", this.#at) ? "]]" : "\n");
  }

  #skipTo(end: string): void {
    const found = this.#text.indexOf(end, this.#at + 2);
    this.#at = found === -1 ? this.#text.length : found + end.length;
  }

  // A comment begins where a word could, never in one.
  #skipBlank(): void {
    const text = this.#text;
    for (;;) {
      const char = text.charAt(this.#at);
      if (char !== "" && SPACE.includes(char)) this.#at += 1;
      else if (char === "#") {
        const end = text.indexOf("\n", this.#at);
        this.#at = end === -1 ? text.length : end;
      } else return;
    }
  }

  #quoted(quote: string): string {
    const start = this.#at + 1;
    let at = start;
    while (at < this.#text.length && this.#text[at] !== quote) at += this.#text[at] === "\\" ? 2 : 1;
    this.#at = at + 1;
    return unescaped(this.#text.slice(start, at));
  }

  // "${name}" is part of a word, another "{" ends it; so does no "}", which ends a block only where a word could begin.
  #bare(): string {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (; at < text.length; at += 1) {
      const char = text.charAt(at);
      if (char === "\\") at += 1;
      else if (char === "{" && text[at - 1] !== "$") break;
      else if (char === ";" || SPACE.includes(char)) break;
    }
    this.#at = at;
    return unescaped(text.slice(start, at));
  }
}

function unescaped(word: string): string {
  return word.includes("\\") ? word.replace(/\\(["'\\])/g, "$1") : word;
}
