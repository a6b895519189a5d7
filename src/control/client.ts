import { connect } from "node:net";
import { DaemonLostError, DaemonRefusedError, DaemonSilentError } from "./errors.ts";
import { createFrameReader, encodeFrame } from "./frames.ts";
import { isNobodyThere, MAX_ANSWER_BYTES } from "./protocol.ts";
import type { ControlRequest } from "./protocol.ts";

/** Where the answer goes, and when to stop asking. */
export type AskOptions = {
  /** Paths of the sockets to try, in this order. */
  readonly sockets: readonly string[];
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** How long the daemon may take to take the request, in ms; doing it may take as long as it takes. */
  readonly acceptWithinMs?: number;
};

/** What came of asking: the command's exit code, or that there is no daemon. */
export type Answer = { readonly kind: "done"; readonly exitCode: number } | { readonly kind: "nobody" };

/**
 * Has the daemon do a command, and passes on what it prints. Throws DaemonLostError when it ends in the middle,
 * DaemonSilentError when it doesn't take the request, DaemonRefusedError when the socket may not be used, or the signal's
 * reason when it aborts: the daemon then goes on without us.
 */
export async function askDaemon(request: ControlRequest, options: AskOptions, signal: AbortSignal): Promise<Answer> {
  for (const path of options.sockets) {
    const answer = await askAt(path, { ...options, request, signal });
    if (answer.kind === "done") return answer;
  }
  return { kind: "nobody" };
}

type Conversation = AskOptions & { readonly request: ControlRequest; readonly signal: AbortSignal };

function askAt(path: string, conversation: Conversation): Promise<Answer> {
  const { request, signal, acceptWithinMs = 10_000 } = conversation;
  return new Promise<Answer>((resolve, reject) => {
    signal.throwIfAborted();
    const connection = connect(path);
    const read = createFrameReader(MAX_ANSWER_BYTES);
    let isConnected = false;
    const stop = () => fail(signal.reason);
    const settle = () => {
      signal.removeEventListener("abort", stop);
      connection.destroy();
    };
    const fail = (reason: unknown) => {
      settle();
      reject(reason);
    };
    signal.addEventListener("abort", stop);
    connection.setTimeout(acceptWithinMs, () => fail(new DaemonSilentError(request.command, acceptWithinMs)));
    connection.on("connect", () => {
      isConnected = true;
      connection.write(encodeFrame(request));
    });
    connection.on("data", (chunk: Buffer) => {
      connection.setTimeout(0);
      try {
        for (const frame of read(chunk)) {
          const exitCode = take(frame, conversation);
          if (exitCode === undefined) continue;
          settle();
          resolve({ kind: "done", exitCode });
          return;
        }
      } catch (thrown) {
        fail(new DaemonLostError(request.command, thrown));
      }
    });
    connection.on("error", (error: NodeJS.ErrnoException) => {
      if (isConnected) return fail(new DaemonLostError(request.command, error));
      // Anything else is a daemon with a difficulty, and no reason to act beside it.
      if (!isNobodyThere(error.code)) return fail(new DaemonRefusedError(path, error));
      settle();
      resolve({ kind: "nobody" });
    });
    // After an answer or an error this comes too late to change anything.
    connection.on("close", () => fail(new DaemonLostError(request.command)));
  });
}

// Gives the exit code when the frame holds it. Frames that we don't know are left to newer clients.
function take(frame: Record<string, unknown>, { out, err }: AskOptions): number | undefined {
  if (typeof frame["out"] === "string") out(frame["out"]);
  if (typeof frame["err"] === "string") err(frame["err"]);
  return typeof frame["exit"] === "number" ? frame["exit"] : undefined;
}
