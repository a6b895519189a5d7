import { Readable } from "node:stream";
import { array, assert, asyncProperty, integer, record, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { readJsonLines } from "../../../src/target/docker/json-lines.ts";

async function readAll(chunks: readonly Buffer[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of readJsonLines(Readable.from(chunks))) values.push(value);
  return values;
}

describe("a stream of JSON lines", () => {
  test("gives the same values however its bytes are cut", async () => {
    const lines = array(record({ name: string({ unit: "grapheme" }), n: integer() }), { maxLength: 5 });
    await assert(
      asyncProperty(lines, integer({ min: 1, max: 9 }), async (values, size) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        expect(await readAll(chunks)).toEqual(values);
      }),
      { numRuns: 50 },
    );
  });

  test("skips empty lines and drops a last line that was cut off", async () => {
    expect(await readAll([Buffer.from('{"a":1}\r\n\n{"b":2}\n{"c":')])).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("ends with an error on a line that is no JSON, and on one that never ends", async () => {
    await expect(readAll([Buffer.from("<html>\n")])).rejects.toThrow(SyntaxError);
    await expect(readAll([Buffer.alloc(2 * 1024 * 1024, "x")])).rejects.toThrow(/a line of more than/);
  });
});
