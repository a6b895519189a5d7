/** A quote in an option line that is opened and never closed. */
export class UnterminatedQuoteError extends Error {
  constructor(quote: string, position: number) {
    super(`opens a ${quote} at character ${position} and never closes it`);
  }
}

// What a line is made of: single quotes, double quotes, a joined line, an escape, blanks, plain characters, a quote without its end.
// A backslash at the very end has nothing to escape and stands for itself, as in sh.
const PIECE = /'([^']*)'|"((?:\\[^]|[^"\\])*)"|(\\\n)|\\([^])|(\s+)|([^\s'"\\]+|\\$)|(["'])/g;

// POSIX shell 2.2.3: inside double quotes a backslash keeps its meaning only before these; `\` newline joins lines.
const ESCAPE_IN_DOUBLE_QUOTES = /\\(?:\n|([$`"\\]))/g;

/**
 * Splits a line into words as a POSIX shell does: blanks separate, single and double quotes and the backslash group and
 * escape. Nothing is evaluated: `$(…)`, backticks, `|`, `&`, `;`, `*`, `#` and `~` are plain characters.
 * Throws {@link UnterminatedQuoteError}, and nothing else.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words: '' is a word, a run of blanks is none
  for (const piece of text.matchAll(PIECE)) {
    const [, single, double, joined, escaped, blanks, plain, open] = piece;
    if (open !== undefined) throw new UnterminatedQuoteError(open, piece.index + 1);
    if (blanks !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (joined === undefined) {
      word = `${word ?? ""}${single ?? double?.replace(ESCAPE_IN_DOUBLE_QUOTES, "$1") ?? escaped ?? plain ?? ""}`;
    }
  }
  return word === undefined ? words : [...words, word];
}
