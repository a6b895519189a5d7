/** A quote in an option line that is opened and never closed. */
export class UnterminatedQuoteError extends Error {
  constructor(quote: string, position: number) {
    super(`opens a ${quote} at character ${position} and never closes it`);
  }
}

// POSIX shell 2.2.3: inside double quotes a backslash keeps its meaning only before these; `\` newline joins lines.
const ESCAPABLE_IN_DOUBLE_QUOTES = '$`"\\\n';

/**
 * Splits a line into words as a POSIX shell does: blanks separate, single and double quotes and the backslash group and
 * escape. Nothing is evaluated: `$(…)`, backticks, `|`, `&`, `;`, `*`, `#` and `~` are plain characters.
 * Throws {@link UnterminatedQuoteError}, and nothing else.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words: '' is a word, a run of blanks is none
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
    } else {
      const piece = readPiece(text, at);
      word = piece.value === undefined ? word : (word ?? "") + piece.value;
      at = piece.end;
    }
  }
  return word === undefined ? words : [...words, word];
}

// `value` is undefined for a joined line, which adds nothing and begins no word.
type Piece = { readonly value: string | undefined; readonly end: number };

function readPiece(text: string, start: number): Piece {
  switch (text.charAt(start)) {
    case "'":
      return readSingleQuoted(text, start);
    case '"':
      return readDoubleQuoted(text, start);
    case "\\":
      return readEscaped(text, start);
    default:
      return { value: text.charAt(start), end: start + 1 };
  }
}

function readEscaped(text: string, start: number): Piece {
  const escaped = text.charAt(start + 1);
  if (escaped === "\n") return { value: undefined, end: start + 2 };
  // A backslash at the very end has nothing to escape and stands for itself, as in sh.
  return { value: escaped === "" ? "\\" : escaped, end: start + 2 };
}

function readSingleQuoted(text: string, start: number): Piece {
  const end = text.indexOf("'", start + 1);
  if (end === -1) throw new UnterminatedQuoteError("'", start + 1);
  return { value: text.slice(start + 1, end), end: end + 1 };
}

function readDoubleQuoted(text: string, start: number): Piece {
  let value = "";
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    const next = text.charAt(at + 1);
    if (character === '"') return { value, end: at + 1 };
    if (character === "\\" && next !== "" && ESCAPABLE_IN_DOUBLE_QUOTES.includes(next)) {
      value += next === "\n" ? "" : next;
      at += 1;
    } else {
      value += character;
    }
  }
  throw new UnterminatedQuoteError('"', start + 1);
}
