import { BadFrameError } from "./frames.ts";

/**
 * The control socket speaks newline-delimited JSON, one request a connection:
 * client `{command, args, terminal}`; daemon `{accepted: true}`, then any number of `{out}` and `{err}`, at last `{exit}`.
 * client `{ping: true}`; daemon `{pong: Identity}`: the question that the lock asks.
 */

/** Where the lock and, with it, the control socket are kept. */
export const LOCK_FOLDER = "/etc/letsencrypt/sidecar";
/** Where the control socket is instead when the file system of {@link LOCK_FOLDER} has no sockets; private to the container. */
export const RUN_FOLDER = "/run/cert-sidecar";
/** The name by which clients find the holder of the lock, in either folder. */
export const SOCKET_NAME = "control.sock";

/** No request is longer: a command line has its place in it a hundred times over. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** No answer's frame is longer: text is cut into pieces that fit, escapes included. */
export const MAX_ANSWER_BYTES = 256 * 1024;

/** Whether a connect's error code says that no process listens: no such file, or a socket whose process is dead. */
export function isNobodyThere(code: string | undefined): boolean {
  return code === "ENOENT" || code === "ENOTDIR" || code === "ECONNREFUSED";
}

/** One command that a client wants done. */
export type ControlRequest = {
  readonly command: string;
  readonly args: readonly string[];
  /** What the client's output goes to. */
  readonly terminal: { readonly isTty: boolean };
};

/** What a process says of itself to others that want the lock. */
export type Identity = {
  /** Unique per announcement. */
  readonly instance: string;
  /** A candidate has not won yet and may withdraw. */
  readonly state: "candidate" | "holder";
  /** Who it is, for people: `the daemon in container 3f2a…`. */
  readonly description: string;
};

/** Reads a request's frame. Throws BadFrameError that names what is wrong. */
export function toRequest(frame: Record<string, unknown>): ControlRequest {
  const { command, args } = frame;
  if (typeof command !== "string" || command === "") throw new BadFrameError("a request names no command");
  if (!Array.isArray(args) || !args.every((word) => typeof word === "string")) {
    throw new BadFrameError("a request's args are not a list of words");
  }
  // A terminal that isn't described is none: plain lines are right everywhere. Older clients say more of it.
  const terminal = frame["terminal"] as { readonly isTty?: unknown } | null | undefined;
  return { command, args, terminal: { isTty: terminal?.isTty === true } };
}

/** Reads an identity as it was received or found in a file; undefined when it is none. */
export function toIdentity(value: unknown): Identity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { instance, state, description } = value as Record<string, unknown>; // Any object is one: its values stay unknown.
  if (typeof instance !== "string" || typeof description !== "string") return undefined;
  if (state !== "candidate" && state !== "holder") return undefined;
  return { instance, state, description };
}
