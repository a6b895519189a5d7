import { connect } from "node:net";
import { wordsOf } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import { withDeadline } from "../docker/deadline.ts";
import type { Named } from "../errors.ts";
import type { HaproxyPaths } from "./crt-list.ts";
import { RuntimeRefusedError, runtimeUnreachable } from "./errors.ts";

/** HAProxy's runtime API (its management guide, section 9.3). */
export type RuntimeApi = {
  /**
   * Gives the whole answer to a command. Throws TARGET_RUNTIME_UNREACHABLE, RuntimeRefusedError where the answer breaks off, or
   * the signal's reason.
   */
  ask(command: string, signal: AbortSignal, payload?: string): Promise<string>;
  /** As `ask`; throws RuntimeRefusedError where the answer has not this in it, which HAProxy says when all is well. */
  tell(command: string, expected: string, signal: AbortSignal, payload?: string): Promise<void>;
};

/** Whom to speak with. */
export type RuntimeParts = { readonly named: Named; readonly paths: HaproxyPaths; readonly clock: Clock };

const ANSWER_WITHIN_MS = 5000;
// A thousand certificates with a hundred names each.
const LONGEST_ANSWER = 8 * 1024 * 1024;

/** Makes a client; each command has a connection of its own, which HAProxy ends after its answer. */
export function createRuntimeApi({ named, paths, clock }: RuntimeParts): RuntimeApi {
  const ask: RuntimeApi["ask"] = async (command, signal, payload) => {
    const text = payload === undefined ? `${command}\n` : `${command} <<\n${withoutEmptyLines(payload)}\n\n`;
    const expired = () => new Error(`no answer to "${command}" within ${ANSWER_WITHIN_MS / 1000} s`);
    let answer: string;
    try {
      const exchange = (own: AbortSignal) => sendAndRead(paths.socket, text, own);
      answer = await withDeadline({ clock, signal, ms: ANSWER_WITHIN_MS, expired }, exchange);
    } catch (thrown) {
      signal.throwIfAborted();
      throw runtimeUnreachable(named, paths, thrown);
    }
    // An answer ends with an empty line; what is longer than HAProxy's buffer gets none at all.
    if (answer === "\n" || answer.endsWith("\n\n")) return answer;
    throw new RuntimeRefusedError(named, command, `${answer}… and ended the connection in the middle`);
  };
  return {
    ask,
    tell: async (command, expected, signal, payload) => {
      const answer = await ask(command, signal, payload);
      if (!answer.includes(expected)) throw new RuntimeRefusedError(named, command, answer);
    },
  };
}

// To HAProxy an empty line is the end of what belongs to a command.
function withoutEmptyLines(payload: string): string {
  return payload
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");
}

async function sendAndRead(path: string, text: string, signal: AbortSignal): Promise<string> {
  const socket = connect({ path });
  socket.on("error", () => {}); // the reader hears of it; an abort may come when nobody reads any more
  const onAbort = () => socket.destroy(new Error(wordsOf(signal.reason)));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    socket.write(text);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > LONGEST_ANSWER) throw new Error(`its answer is longer than ${LONGEST_ANSWER} bytes`);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}
