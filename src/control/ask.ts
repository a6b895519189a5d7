import { connect } from "node:net";
import { createFrameReader, encodeFrame } from "./frames.ts";
import { isNobodyThere, MAX_ANSWER_BYTES, toIdentity } from "./protocol.ts";
import type { Identity } from "./protocol.ts";

/**
 * Who is behind a socket. `nobody`: no process listens there, and for a socket that has once listened none ever will
 * again. `somebody`: a process listens, whether or not it answers (it may be paused, or busy).
 */
export type Asked =
  | { readonly kind: "nobody" }
  | { readonly kind: "somebody"; readonly identity?: Identity | undefined; readonly problem?: string | undefined }
  /** It took the connection and dropped it: it may be about to withdraw. */
  | { readonly kind: "hangs-up" };

const HANG_UP_CODES = new Set(["ECONNRESET", "EPIPE"]);

/** Asks the process behind the socket at `path` who it is, in `withinMs` at most. Never rejects. */
export function askIdentity(path: string, withinMs: number): Promise<Asked> {
  return new Promise((resolve) => {
    const connection = connect(path);
    const read = createFrameReader(MAX_ANSWER_BYTES);
    const end = (asked: Asked) => {
      connection.destroy();
      resolve(asked);
    };
    connection.setTimeout(withinMs, () => end({ kind: "somebody", problem: "it doesn't answer" }));
    connection.on("connect", () => connection.write(encodeFrame({ ping: true })));
    connection.on("data", (chunk: Buffer) => {
      const [frame] = readQuietly(read, chunk);
      if (frame !== undefined) end({ kind: "somebody", identity: toIdentity(frame["pong"]) });
    });
    connection.on("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      if (isNobodyThere(code)) end({ kind: "nobody" });
      else end(HANG_UP_CODES.has(code) ? { kind: "hangs-up" } : { kind: "somebody", problem: code });
    });
    connection.on("close", () => end({ kind: "hangs-up" }));
  });
}

// Whatever listens there and talks nonsense is alive all the same.
function readQuietly(read: ReturnType<typeof createFrameReader>, chunk: Buffer): Record<string, unknown>[] {
  try {
    return read(chunk);
  } catch {
    return [{}];
  }
}
