import { StringDecoder } from "node:string_decoder";

// An event of the engine has some hundred bytes; labels can make it a few kilobytes.
const LONGEST_LINE = 1024 * 1024;

/**
 * The values of a stream of JSON lines, however its chunks cut lines and characters. Ends where the stream ends; an unfinished
 * last line is dropped. Throws when a line is no JSON or has more than a million characters.
 */
export async function* readJsonLines(chunks: AsyncIterable<Buffer | string>): AsyncGenerator {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of chunks) {
    const text = typeof chunk === "string" ? chunk : decoder.write(chunk);
    rest += text;
    const lines = text.includes("\n") ? rest.split("\n") : [rest];
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_LINE) throw new Error(`a line of more than ${LONGEST_LINE} characters`);
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as unknown;
  }
}
