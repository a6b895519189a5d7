// Control characters, and those that Unicode calls format: they join, hide or turn around what stands beside them.
const UNPRINTABLE = /(?![\n\t])[\p{Cc}\p{Cf}]/gu;

/**
 * Text with other people's words in it as a terminal may get it: what could move a cursor, hide words or turn them around is
 * shown as U+FFFD. Line breaks and tabs stay.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, "\uFFFD");
}
