import { once } from "node:events";
import type { Socket } from "node:net";
import { excerpt, printable } from "../../certificate/index.ts";

/** A protocol that begins without TLS, and goes over to it when it is asked to. */
export type StartTls = keyof typeof TALKS;

/** What is said, if anything; what a whole answer ends with; what it must have in it. */
type Step = { readonly say?: string | Uint8Array; readonly whole: RegExp; readonly wanted: RegExp };

// RFC 5321 §4.2.1: the last line of an answer has a blank behind its code, or nothing.
const SMTP_ANSWER = /^\d{3}(?: [^\n]*|\r)?\n$/m;

const TALKS = {
  // RFC 3207 §4.
  smtp: [
    { whole: SMTP_ANSWER, wanted: /^220\b/ },
    { say: "EHLO cert-sidecar.invalid\r\n", whole: SMTP_ANSWER, wanted: /^250[ -]STARTTLS\b/im },
    { say: "STARTTLS\r\n", whole: SMTP_ANSWER, wanted: /^220\b/ },
  ],
  // RFC 9051 §6.2.1.
  imap: [
    { whole: /\n$/, wanted: /^\* OK\b/i },
    { say: "a STARTTLS\r\n", whole: /^a [^\n]*\n$/m, wanted: /^a OK\b/im },
  ],
  // PostgreSQL's SSLRequest: a length and a number; the answer is one letter, S where it speaks TLS.
  postgres: [{ say: Uint8Array.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), whole: /^[^]/, wanted: /^S/ }],
} satisfies Record<string, readonly Step[]>;

/** The protocols that are spoken, as a label names them. */
export const STARTTLS_PROTOCOLS = Object.keys(TALKS) as readonly StartTls[];

/**
 * Has the other side of a connection ready for a TLS handshake on it. Throws what the connection does, the signal's reason, or an
 * Error with the other side's words where it doesn't go over to TLS; the connection is the caller's to close.
 */
export async function goOverToTls(socket: Socket, protocol: StartTls, signal: AbortSignal): Promise<void> {
  const steps: readonly Step[] = TALKS[protocol];
  for (const { say, whole, wanted } of steps) {
    if (say !== undefined) socket.write(say);
    const answer = await hear(socket, whole, signal);
    if (!wanted.test(answer)) throw new Error(`it does not go over to TLS as ${protocol} does: ${wordsFor(answer)}`);
  }
}

const LONGEST_ANSWER = 16 * 1024;

async function hear(socket: Socket, whole: RegExp, signal: AbortSignal): Promise<string> {
  let text = "";
  while (!whole.test(text)) {
    if (text.length > LONGEST_ANSWER) throw new Error(`it does not come to an end: ${wordsFor(text)}`);
    const chunk = socket.read() as Buffer | null;
    // Left in the socket where more comes than is waited for: nothing is to be lost of what TLS begins with.
    if (chunk !== null) text += chunk.toString("latin1");
    else if (socket.readableEnded || socket.destroyed) throw new Error(`it hung up: ${wordsFor(text)}`);
    else await waitForMore(socket, signal);
  }
  return text;
}

// Whoever says a letter at a time must not leave a listener for each.
async function waitForMore(socket: Socket, outer: AbortSignal): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal]);
  try {
    await Promise.race([once(socket, "readable", { signal }), once(socket, "close", { signal })]);
  } finally {
    over.abort();
  }
}

function wordsFor(answer: string): string {
  return printable(excerpt(answer, 200)) || "it said nothing";
}
