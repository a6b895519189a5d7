import { connect } from "node:net";

/** What a process says of itself to others that want the lock: the answer to a ping, and in its heartbeat. */
export type Identity = {
  /** Unique per announcement. */
  readonly instance: string;
  /** A candidate has not won yet and may withdraw. */
  readonly state: "candidate" | "holder";
  /** Who it is, for people: `the daemon in container 3f2a…`. */
  readonly description: string;
};

/** What is known of a process by its liveness file. */
export type Presence = {
  readonly isAlive: boolean;
  readonly identity?: Identity | undefined;
  /** Why it could not be asked who it is. */
  readonly problem?: string | undefined;
};

// For a socket that has once listened nobody ever will again.
const NOBODY_CODES: readonly unknown[] = ["ENOENT", "ENOTDIR", "ECONNREFUSED"];
const HANG_UP_CODES: readonly unknown[] = ["ECONNRESET", "EPIPE"];
const ANSWER_WITHIN_MS = 2000;
const MAX_ANSWER_LENGTH = 64 * 1024;

/**
 * Asks the process behind the socket at `path` who it is: a line `{ping: true}`, answered by a line `{pong: Identity}`, which
 * all versions that ever meet understand. It is alive if it listens, whether or not it answers (it may be paused, or busy).
 * Gives undefined when it took the connection and dropped it: it may be about to withdraw. Never rejects.
 */
export function askIdentity(path: string): Promise<Presence | undefined> {
  return new Promise((resolve) => {
    const connection = connect(path);
    let answer = "";
    const end = (presence?: Presence) => {
      connection.destroy();
      resolve(presence);
    };
    connection.setTimeout(ANSWER_WITHIN_MS, () => end({ isAlive: true, problem: "it doesn't answer" }));
    connection.on("connect", () => connection.write('{"ping":true}\n'));
    connection.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
      if (!answer.includes("\n") && answer.length < MAX_ANSWER_LENGTH) return;
      end({ isAlive: true, identity: identityIn(answer.split("\n", 1).join()) });
    });
    connection.on("error", ({ code, message }: NodeJS.ErrnoException) => {
      if (NOBODY_CODES.includes(code)) end({ isAlive: false });
      else end(HANG_UP_CODES.includes(code) ? undefined : { isAlive: true, problem: code ?? message });
    });
    connection.on("close", () => end());
  });
}

/** Reads a pong, or a heartbeat. Undefined where it is neither, as in the middle of a write: its author is alive all the same. */
export function identityIn(json: string): Identity | undefined {
  try {
    const said = JSON.parse(json) as { readonly pong?: object }; // Anything but null has properties, or none.
    const { instance, state, description } = (said.pong ?? said) as Record<string, unknown>;
    if (typeof instance !== "string" || typeof description !== "string") return undefined;
    return state === "candidate" || state === "holder" ? { instance, state, description } : undefined;
  } catch {
    return undefined;
  }
}
