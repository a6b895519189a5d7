/**
 * The control socket speaks newline-delimited JSON, one request a connection:
 * client `{command, args, terminal}`; daemon `{accepted: true}`, then any number of `{out}` and `{err}`, at last `{exit}`.
 * client `{ping: true}`; daemon `{pong}`: the question that the lock asks, and what the lock has to say.
 */

/** No request is longer: a command line has its place in it a hundred times over. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** No answer's frame is longer: text is cut into pieces that fit, escapes included. */
export const MAX_ANSWER_BYTES = 256 * 1024;

/** One command that a client wants done. */
export type ControlRequest = {
  readonly command: string;
  readonly args: readonly string[];
  /** What the client's output goes to. */
  readonly terminal: { readonly isTty: boolean };
};

/** Reads a request's frame. Throws an Error that names what is wrong. */
export function toRequest(frame: Record<string, unknown>): ControlRequest {
  const { command, args } = frame;
  if (typeof command !== "string" || command === "") throw new Error("a request names no command");
  if (!Array.isArray(args) || !args.every((word) => typeof word === "string")) {
    throw new Error("a request's args are not a list of words");
  }
  // A terminal that isn't described is none: plain lines are right everywhere. Older clients say more of it.
  const terminal = frame["terminal"] as { readonly isTty?: unknown } | null | undefined;
  return { command, args, terminal: { isTty: terminal?.isTty === true } };
}
