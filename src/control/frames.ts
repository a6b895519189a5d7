/** One frame on the wire: a JSON object and a line feed. */
export function encodeFrame(frame: object): string {
  return `${JSON.stringify(frame)}\n`;
}

/**
 * Gives a function that takes the bytes as they arrive, cut anywhere, and gives the frames that are complete with them.
 * It throws an Error for a frame over `limitBytes` (before it is complete, so memory is bounded) or one that isn't a
 * JSON object; it must not be called again after that.
 */
export function createFrameReader(limitBytes: number): (chunk: Buffer) => Record<string, unknown>[] {
  let rest: Buffer = Buffer.alloc(0);
  const refuseOver = (bytes: number) => {
    if (bytes > limitBytes) throw new Error(`a frame is longer than ${limitBytes} bytes`);
  };
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const frames: Record<string, unknown>[] = [];
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      refuseOver(end);
      frames.push(decode(rest.subarray(0, end)));
      rest = rest.subarray(end + 1);
    }
    refuseOver(rest.length);
    return frames;
  };
}

// Bytes become text only once the line is whole: a chunk may end in the middle of a character.
function decode(line: Buffer): Record<string, unknown> {
  let frame: unknown;
  try {
    frame = JSON.parse(line.toString("utf8"));
  } catch (cause) {
    throw new Error("a frame is not JSON", { cause });
  }
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) {
    throw new Error("a frame is not a JSON object");
  }
  return frame as Record<string, unknown>; // Any object is one: its values stay unknown.
}

/** Cuts text into pieces of at most `maxCharacters` code points. */
export function cutText(text: string, maxCharacters: number): readonly string[] {
  return text.match(new RegExp(`[^]{1,${maxCharacters}}`, "gu")) ?? [];
}
