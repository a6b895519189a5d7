import { addAbortListener } from "node:events";
import { connect } from "node:net";
import { DaemonLostError, DaemonRefusedError, DaemonSilentError } from "./errors.ts";
import { createFrameReader, encodeFrame } from "./frames.ts";
import { MAX_ANSWER_BYTES } from "./protocol.ts";
import type { ControlRequest } from "./protocol.ts";

/** Where the answer goes, and when to stop asking. */
export type AskOptions = {
  /** Paths of the sockets to try, in this order. */
  readonly sockets: readonly string[];
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** How long the daemon may take to take the request, in ms; doing it may take as long as it takes. */
  readonly acceptWithinMs?: number | undefined;
};

/**
 * Has the daemon do a command, and passes on what it prints. Gives the command's exit code; undefined when there is no
 * daemon. Throws DaemonLostError when it ends in the middle, DaemonSilentError when it doesn't take the request,
 * DaemonRefusedError when the socket may not be used, or the signal's reason when it aborts: the daemon then goes on
 * without us.
 */
export async function askDaemon(
  request: ControlRequest,
  options: AskOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (const path of options.sockets) {
    const exitCode = await askAt(path, { ...options, request, signal });
    if (exitCode !== undefined) return exitCode;
  }
  return undefined;
}

// No process listens there: no such file, or a socket whose process is dead.
const NOBODY_CODES: readonly unknown[] = ["ENOENT", "ENOTDIR", "ECONNREFUSED"];

type Conversation = AskOptions & { readonly request: ControlRequest; readonly signal: AbortSignal };

async function askAt(path: string, conversation: Conversation): Promise<number | undefined> {
  const { request, signal, out, err, acceptWithinMs = 10_000 } = conversation;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const connection = connect(path);
  const read = createFrameReader(MAX_ANSWER_BYTES);
  using _onAbort = addAbortListener(signal, () => reject(signal.reason));
  connection.setTimeout(acceptWithinMs, () => reject(new DaemonSilentError(request.command, acceptWithinMs)));
  connection.on("connect", () => connection.write(encodeFrame(request)));
  connection.on("data", (chunk: Buffer) => {
    connection.setTimeout(0);
    try {
      for (const frame of read(chunk)) {
        // Frames that we don't know are left to newer clients.
        if (typeof frame["out"] === "string") out(frame["out"]);
        if (typeof frame["err"] === "string") err(frame["err"]);
        if (typeof frame["exit"] === "number") return resolve(frame["exit"]);
      }
    } catch (thrown) {
      reject(new DaemonLostError(request.command, thrown));
    }
  });
  connection.on("error", (error: NodeJS.ErrnoException) => {
    if (error.syscall !== "connect") reject(new DaemonLostError(request.command, error));
    else if (NOBODY_CODES.includes(error.code)) resolve(undefined);
    // Anything else is a daemon with a difficulty, and no reason to act beside it.
    else reject(new DaemonRefusedError(path, error));
  });
  // After an answer or an error this comes too late to change anything.
  connection.on("close", () => reject(new DaemonLostError(request.command)));
  try {
    return await promise;
  } finally {
    connection.destroy();
  }
}
