import type { Socket } from "node:net";
import { OperatorError } from "../certificate/index.ts";
import { ClientGoneError } from "./errors.ts";
import { BadFrameError, createFrameReader, cutText, encodeFrame } from "./frames.ts";
import { MAX_REQUEST_BYTES, toRequest } from "./protocol.ts";
import type { ControlRequest, Identity } from "./protocol.ts";

/** The client's side of a command: where its output goes, and whether it is still there. */
export type ControlIo = {
  /** Writes to the client's stdout, in order. Never blocks and never throws; without a client it does nothing. */
  out(text: string): void;
  /** Writes to the client's stderr, in order, as `out` does. */
  err(text: string): void;
  /** Resolves when the client has taken enough of the output to be sent more, or is gone. For output that can be large. */
  drained(): Promise<void>;
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

type SessionOptions = {
  readonly handler: ControlHandler;
  readonly identify: () => Identity;
  readonly requestWithinMs: number;
};

// What a client that doesn't read may keep in our memory; it is cut off beyond that.
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;
// What is on its way when a producer that cares is told to wait.
const ENOUGH_UNSENT_BYTES = 256 * 1024;
// A client that has stopped reading doesn't keep a finished command's connection for ever.
const TAKE_ANSWER_WITHIN_MS = 30_000;
// A piece of text with every character escaped six-fold still fits a frame.
const PIECE_LENGTH = 16 * 1024;

/** Serves one connection to its end: reads one request, does it, sends the answer. Never throws. */
export function openSession(connection: Socket, options: SessionOptions): Session {
  const aborted = new AbortController();
  const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()));
  const read = createFrameReader(MAX_REQUEST_BYTES);
  let isAsked = false;
  const take = (frame: Record<string, unknown>) => {
    if (isAsked) return;
    isAsked = true;
    connection.setTimeout(0);
    answer(frame, connection, { ...options, signal: aborted.signal });
  };

  connection.on("data", (chunk: Buffer) => {
    if (isAsked) return;
    try {
      for (const frame of read(chunk)) take(frame);
    } catch (thrown) {
      isAsked = true;
      finish(connection, refusal(thrown));
    }
  });
  connection.on("error", () => connection.destroy()); // A broken client is the client's matter; "close" follows.
  connection.on("close", () => aborted.abort(new ClientGoneError()));
  connection.setTimeout(options.requestWithinMs, () => connection.destroy());
  return {
    closed,
    stop(reason) {
      if (isAsked) aborted.abort(reason);
      else connection.destroy();
    },
    destroy: () => connection.destroy(),
  };
}

type AnswerOptions = SessionOptions & { readonly signal: AbortSignal };

function answer(frame: Record<string, unknown>, connection: Socket, options: AnswerOptions): void {
  if (frame["ping"] === true) {
    connection.end(encodeFrame({ pong: options.identify() }));
    return;
  }
  const request = toRequest(frame);
  send(connection, { accepted: true });
  void run(request, connection, options);
}

async function run(request: ControlRequest, connection: Socket, options: AnswerOptions): Promise<void> {
  const io = createIo(connection, options.signal);
  try {
    const exit = await options.handler(request, io);
    finish(connection, [{ exit }]);
  } catch (thrown) {
    finish(connection, [{ err: `${describe(thrown)}\n` }, { exit: 1 }]);
  }
}

function createIo(connection: Socket, signal: AbortSignal): ControlIo {
  const tell = (channel: "out" | "err", text: string) => {
    for (const piece of cutText(text, PIECE_LENGTH)) send(connection, { [channel]: piece });
  };
  return {
    out: (text) => tell("out", text),
    err: (text) => tell("err", text),
    drained: () => drained(connection),
    signal,
  };
}

function send(connection: Socket, frame: object): void {
  if (!connection.writable) return;
  connection.write(encodeFrame(frame));
  if (connection.writableLength > MAX_UNSENT_BYTES) connection.destroy();
}

function drained(connection: Socket): Promise<void> {
  if (!connection.writable || connection.writableLength < ENOUGH_UNSENT_BYTES) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      connection.off("drain", done);
      connection.off("close", done);
      resolve();
    };
    connection.on("drain", done);
    connection.on("close", done);
  });
}

function finish(connection: Socket, frames: readonly object[]): void {
  for (const frame of frames) send(connection, frame);
  connection.setTimeout(TAKE_ANSWER_WITHIN_MS, () => connection.destroy());
  if (connection.writable) connection.end();
}

// A request that can't be understood is a mistake of usage: exit code 2.
function refusal(thrown: unknown): object[] {
  const words = thrown instanceof BadFrameError ? thrown.message : describe(thrown);
  return [{ err: `The daemon doesn't understand the request: ${words}\n` }, { exit: 2 }];
}

function describe(thrown: unknown): string {
  if (thrown instanceof OperatorError) return `${thrown.message}\n${thrown.remedy}`;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
