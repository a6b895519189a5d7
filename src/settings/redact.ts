import { splitWords, UnterminatedQuoteError } from "../certificate/index.ts";

const REDACTED = "[redacted]";
const SECRET_OPTION = /^--?[^=]*(secret|token|password|hmac|credential|api-?key)/i;

/** A URL's text without the user name and password in it, also where its beginning was forgotten. */
export function redactUrl(text: string): string {
  return text.replace(/(?<=\/\/)[^/@\s]*@|^(?!mailto:)[^/@\s:]+:[^/@\s]*@/g, `${REDACTED}@`);
}

/** Whether one of these words is an option that carries a secret. */
export function hasSecretOption(words: readonly string[]): boolean {
  return words.some((word) => SECRET_OPTION.test(word));
}

/** An option line without the values of options that carry secrets; all of it when its words can't be told apart. */
export function redactOptions(text: string): string {
  try {
    const words = splitWords(text);
    return hasSecretOption(words) ? redactWords(words).join(" ") : redactUrl(text);
  } catch (thrown) {
    if (thrown instanceof UnterminatedQuoteError) return REDACTED;
    throw thrown;
  }
}

/** The words of an option line without the values of options that carry secrets. */
export function redactWords(words: readonly string[]): string[] {
  let isValue = false; // whatever follows a secret's option, even what could be one itself
  return words.map((word) => {
    if (isValue) {
      isValue = false;
      return REDACTED;
    }
    if (!SECRET_OPTION.test(word)) return redactUrl(word);
    isValue = !word.includes("=");
    return isValue ? word : `${word.slice(0, word.indexOf("="))}=${REDACTED}`;
  });
}
