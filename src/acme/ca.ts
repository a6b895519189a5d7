import { OperatorError } from "../certificate/index.ts";
import type { Clock, HttpReply } from "../ports/index.ts";
import { NotAnAcmeDirectoryError, PlainHttpError, UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { NoncePool } from "./nonce-pool.ts";
import { type Directory, readDirectory } from "./objects.ts";
import { parseJson, refusalOf } from "./failures/refusal.ts";
import type { Transport } from "./transport.ts";

// A directory changes about once in years. Where it does, a request fails, and a failure forgets it at once.
const DIRECTORY_AGE_MS = 24 * 3600 * 1000;

/** One CA as all its orders share it, for the life of the process: the directory it gave, the nonces it left us. */
export type Ca = {
  readonly directoryUrl: string;
  readonly nonces: NoncePool;
  readonly transport: Transport;
  readonly clock: Clock;
  /**
   * The directory, asked for once a day, or now when it is wanted anew. Throws OperatorError of origin `ca-unreachable` or the
   * signal's reason. Parallel calls are safe.
   */
  directory(signal: AbortSignal, options?: { readonly isAnew: boolean }): Promise<Directory>;
  /** Has the directory asked for anew next time. */
  forgetDirectory(): void;
};

/** Makes the shared part of a CA; nothing is asked yet. */
export function createCa(directoryUrl: string, transport: Transport, clock: Clock): Ca {
  let known: { readonly directory: Directory; readonly askedAt: number } | undefined;
  const ask = async (signal: AbortSignal): Promise<Directory> => {
    const askedAt = clock.now().getTime();
    if (URL.parse(directoryUrl)?.protocol === "http:") throw new PlainHttpError(directoryUrl, "us");
    const reply = await transport({ url: directoryUrl, method: "GET", signal });
    const directory = directoryIn(directoryUrl, reply, clock.now());
    known = { directory, askedAt };
    return directory;
  };
  return {
    directoryUrl,
    nonces: new NoncePool(),
    transport,
    clock,
    directory: async (signal, { isAnew } = { isAnew: false }) => {
      // A clock that was set back must not make it young for ever.
      const ageMs = known && Math.abs(clock.now().getTime() - known.askedAt);
      if (known !== undefined && ageMs !== undefined && ageMs < DIRECTORY_AGE_MS && !isAnew) return known.directory;
      return askedByAnybody(() => ask(signal));
    },
    forgetDirectory: () => {
      known = undefined;
    },
  };
}

/** A nonce that nobody has used yet (RFC 8555 §7.2). Throws as {@link Ca.directory} does. */
export async function askNonce(ca: Ca, signal: AbortSignal): Promise<string> {
  const { newNonce } = await ca.directory(signal);
  return askedByAnybody(async () => {
    const reply = await ca.transport({ url: newNonce, method: "HEAD", signal });
    if (reply.status >= 300) throw refusalOf({ url: newNonce, doing: "give a nonce" }, reply, ca.clock.now());
    const nonce = reply.headers["replay-nonce"];
    if (nonce === undefined) throw new UnexpectedAnswerError(newNonce, "a nonce was expected (RFC 8555 §7.2)");
    return nonce;
  });
}

// Whatever goes wrong in a request that needs no account and counts for nothing, the CA as a whole is out of reach.
async function askedByAnybody<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OperatorError) Object.assign(error, { origin: "ca-unreachable" });
    throw error;
  }
}

function directoryIn(directoryUrl: string, reply: HttpReply, now: Date): Directory {
  const { status, headers, text } = reply;
  const asked = { url: directoryUrl, doing: "give its directory" };
  if (status === 429 || status >= 500) throw refusalOf(asked, reply, now);
  const directory = status === 200 ? readDirectory(parseJson(text)) : undefined;
  if (directory !== undefined) return directory;
  const kind = headers["content-type"] ?? "no content type";
  const target = headers["location"] === undefined ? "" : `, a redirect to ${headers["location"]}`;
  throw new NotAnAcmeDirectoryError(directoryUrl, `${status} with ${kind}${target}`);
}
