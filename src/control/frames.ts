/** One frame on the wire: a JSON object and a line feed. */
export function encodeFrame(frame: object): string {
  return `${JSON.stringify(frame)}\n`;
}

/** What was received is no frame: too long, or no JSON object. */
export class BadFrameError extends Error {
  override readonly name = "BadFrameError";
}

/**
 * Gives a function that takes the bytes as they arrive, cut anywhere, and gives the frames that are complete with them.
 * It throws BadFrameError for a frame over `limitBytes` (before it is complete, so memory is bounded) or one that isn't a
 * JSON object; it must not be called again after that.
 */
export function createFrameReader(limitBytes: number): (chunk: Buffer) => Record<string, unknown>[] {
  let started: Buffer[] = [];
  let startedBytes = 0;
  const takeLine = (end: Buffer) => {
    const line = Buffer.concat([...started, end]);
    started = [];
    startedBytes = 0;
    return line;
  };
  return (chunk) => {
    const frames: Record<string, unknown>[] = [];
    let rest = chunk;
    for (let at = rest.indexOf(LINE_FEED); at >= 0; at = rest.indexOf(LINE_FEED)) {
      if (startedBytes + at > limitBytes) throw new BadFrameError(`a frame is longer than ${limitBytes} bytes`);
      frames.push(decode(takeLine(rest.subarray(0, at))));
      rest = rest.subarray(at + 1);
    }
    startedBytes += rest.length;
    if (startedBytes > limitBytes) throw new BadFrameError(`a frame is longer than ${limitBytes} bytes`);
    if (rest.length > 0) started.push(rest);
    return frames;
  };
}

const LINE_FEED = 0x0a;

// Bytes become text only once the line is whole: a chunk may end in the middle of a character.
function decode(line: Buffer): Record<string, unknown> {
  let frame: unknown;
  try {
    frame = JSON.parse(line.toString("utf8"));
  } catch (cause) {
    throw new BadFrameError("a frame is not JSON", { cause });
  }
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) {
    throw new BadFrameError("a frame is not a JSON object");
  }
  return frame as Record<string, unknown>; // Any object is one: its values stay unknown.
}

/** Cuts text into pieces of at most `maxLength` UTF-16 units, never between the halves of a character. */
export function cutText(text: string, maxLength: number): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + maxLength, text.length);
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1)) && to - 1 > from) to -= 1;
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
