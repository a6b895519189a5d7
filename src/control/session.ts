import type { Socket } from "node:net";
import type { OperatorError } from "../certificate/index.ts";
import { ClientGoneError, printed } from "./errors.ts";
import { createFrameReader, cutText, encodeFrame } from "./frames.ts";
import { MAX_REQUEST_BYTES, toRequest } from "./protocol.ts";
import type { ControlRequest } from "./protocol.ts";

/** The client's side of a command: where its output goes, and whether it is still there. */
export type ControlIo = {
  /** Writes to the client's stdout, in order. Never blocks and never throws; without a client it does nothing. */
  out(text: string): void;
  /** Writes to the client's stderr, in order, as `out` does. */
  err(text: string): void;
  /** Aborts when the client goes away or the daemon stops. What it means for the command is the handler's decision. */
  readonly signal: AbortSignal;
};

/** Does a command and gives its exit code. A rejection is told to the client on stderr, with exit code 1. */
export type ControlHandler = (request: ControlRequest, io: ControlIo) => Promise<number>;

/** One client's connection. */
export type Session = {
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  /** Aborts the command under way with `reason`, or ends a client that has not asked yet. */
  stop(reason: OperatorError): void;
  /** Cuts the connection at once. */
  destroy(): void;
};

type Answers = { readonly handler: ControlHandler; readonly identify: () => object };

const REQUEST_WITHIN_MS = 5000;
// What a client that doesn't read may keep in our memory; it is cut off beyond that.
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;
// A client that has stopped reading doesn't keep a finished command's connection for ever.
const TAKE_ANSWER_WITHIN_MS = 30_000;
// A piece of text with every character escaped six-fold still fits a frame.
const PIECE_LENGTH = 16 * 1024;

/** Serves one connection to its end: reads one request, does it, sends the answer. Never throws. */
export function openSession(connection: Socket, { handler, identify }: Answers): Session {
  const aborted = new AbortController();
  const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()));
  const read = createFrameReader(MAX_REQUEST_BYTES);
  let isAsked = false;
  const take = (chunk: Buffer) => {
    const [frame] = read(chunk);
    if (frame === undefined) return;
    isAsked = true;
    connection.setTimeout(0);
    if (frame["ping"] === true) return finish(connection, [{ pong: identify() }]);
    const request = toRequest(frame);
    send(connection, { accepted: true });
    void run(connection, (io) => handler(request, io), aborted.signal);
  };

  connection.on("data", (chunk: Buffer) => {
    if (isAsked) return;
    try {
      take(chunk);
    } catch (thrown) {
      isAsked = true;
      // A mistake of usage.
      finish(connection, [{ err: `The daemon doesn't understand the request: ${printed(thrown)}\n` }, { exit: 2 }]);
    }
  });
  connection.on("error", () => connection.destroy()); // A broken client is the client's matter; "close" follows.
  connection.on("close", () => aborted.abort(new ClientGoneError()));
  connection.setTimeout(REQUEST_WITHIN_MS, () => connection.destroy());
  return {
    closed,
    stop(reason) {
      if (isAsked) aborted.abort(reason);
      else connection.destroy();
    },
    destroy: () => connection.destroy(),
  };
}

async function run(connection: Socket, command: (io: ControlIo) => Promise<number>, signal: AbortSignal) {
  const tell = (channel: "out" | "err", text: string) => {
    for (const piece of cutText(text, PIECE_LENGTH)) send(connection, { [channel]: piece });
  };
  try {
    const exit = await command({ out: (text) => tell("out", text), err: (text) => tell("err", text), signal });
    finish(connection, [{ exit }]);
  } catch (thrown) {
    finish(connection, [{ err: `${printed(thrown)}\n` }, { exit: 1 }]);
  }
}

function send(connection: Socket, frame: object): void {
  if (!connection.writable) return;
  connection.write(encodeFrame(frame));
  if (connection.writableLength > MAX_UNSENT_BYTES) connection.destroy();
}

function finish(connection: Socket, frames: readonly object[]): void {
  for (const frame of frames) send(connection, frame);
  connection.setTimeout(TAKE_ANSWER_WITHIN_MS, () => connection.destroy());
  if (connection.writable) connection.end();
}
