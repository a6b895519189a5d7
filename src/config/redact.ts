import { splitWords, UnterminatedQuoteError } from "./split-words.ts";

const REDACTED = "[redacted]";
const SECRET_OPTION = /^--?[^=]*(secret|token|password|hmac|credential|api-?key)/i;

/** A URL's text without the user name and password in it. */
export function redactUrl(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, `//${REDACTED}@`);
}

/** An option line without the values of options that carry secrets; all of it when its words can't be told apart. */
export function redactOptions(text: string): string {
  try {
    const words = splitWords(text);
    return words.some((word) => SECRET_OPTION.test(word)) ? redactWords(words).join(" ") : redactUrl(text);
  } catch (thrown) {
    if (thrown instanceof UnterminatedQuoteError) return REDACTED;
    throw thrown;
  }
}

function redactWords(words: readonly string[]): string[] {
  return words.map((word, index) => {
    if (SECRET_OPTION.test(word)) return word.includes("=") ? `${word.slice(0, word.indexOf("="))}=${REDACTED}` : word;
    const previous = words[index - 1] ?? "";
    return SECRET_OPTION.test(previous) && !previous.includes("=") ? REDACTED : redactUrl(word);
  });
}
