import { parse } from "dotenv";

/**
 * Reads the text of a `.env` file (`export`, quotes, comments, multi-line quoted values).
 * Only `parse` is used: dotenv's `config` prints, and reads and writes the process's environment.
 */
export function parseDotenv(text: string): Readonly<Record<string, string>> {
  return parse(text);
}
