import { array, assert, integer, nat, property, string } from "fast-check";
import { expect, test } from "vitest";
import { createFrameReader, cutText, encodeFrame } from "../../../src/control/frames.ts";
import { toRequest } from "../../../src/control/protocol.ts";

test("frames cut at any bytes arrive whole and in order", () => {
  const text = string({ unit: "binary" });
  assert(
    property(array(text, { maxLength: 5 }), array(nat({ max: 40 })), (texts, cuts) => {
      const bytes = Buffer.from(texts.map((out) => encodeFrame({ out })).join(""));
      const read = createFrameReader(64 * 1024);
      const received: unknown[] = [];
      let from = 0;
      for (const length of [...cuts, bytes.length]) {
        received.push(...read(bytes.subarray(from, from + length)));
        from += length;
      }
      expect(received).toEqual(texts.map((out) => ({ out })));
    }),
  );
});

test("a frame that is too long is refused before it is complete", () => {
  const read = createFrameReader(10);
  expect(read(Buffer.from('{"a":1}\n{"b"'))).toEqual([{ a: 1 }]);
  expect(() => read(Buffer.from(":123456"))).toThrow("a frame is longer than");
});

test("what is no JSON object is no frame", () => {
  for (const line of ["hello", "[1]", "null", "3", ""]) {
    expect(() => createFrameReader(100)(Buffer.from(`${line}\n`))).toThrow(/^a frame is not (JSON|a JSON object)$/);
  }
});

test("text is cut into pieces that lose nothing and split no character", () => {
  assert(
    property(string({ unit: "grapheme" }), integer({ min: 2, max: 7 }), (text, length) => {
      const pieces = cutText(text, length);
      expect(pieces.join("")).toBe(text);
      expect(pieces.filter((piece) => Array.from(piece).length > length)).toEqual([]);
      expect(pieces.filter((piece) => !piece.isWellFormed())).toEqual([]);
    }),
  );
});

test("a request without a command or with odd words is refused, a missing terminal is none", () => {
  expect(() => toRequest({ args: [] })).toThrow("a request names no command");
  expect(() => toRequest({ command: "status", args: [1] })).toThrow("not a list of words");
  expect(toRequest({ command: "status", args: ["-v"], terminal: { isTty: "yes" } })).toEqual({
    command: "status",
    args: ["-v"],
    terminal: { isTty: false },
  });
});

test("a request as older clients send it is understood, terminal and all", () => {
  const line = '{"command":"status","args":["-v"],"terminal":{"isTty":true,"color":true,"columns":80}}\n';
  const [frame = {}] = createFrameReader(1000)(Buffer.from(line));
  expect(toRequest(frame)).toEqual({ command: "status", args: ["-v"], terminal: { isTty: true } });
});
