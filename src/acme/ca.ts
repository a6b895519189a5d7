import { OperatorError, PlainError } from "../certificate/index.ts";
import type { Clock, HttpReply } from "../ports/index.ts";
import { plainHttp, UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { type Directory, missingIn, readDirectory } from "./objects.ts";
import { isAcmeProblem, isRecord } from "./failures/problem.ts";
import { parseJson, refusalOf } from "./failures/refusal.ts";
import { isStrayPage, redirectIn, WebPageError } from "./failures/web-page.ts";
import type { Transport } from "./transport.ts";

// A directory changes about once in years. Where it does, a request fails, and a failure forgets it at once.
const DIRECTORY_AGE_MS = 24 * 3600 * 1000;

// A CA remembers nonces for long, but not for ever. More than a burst of parallel requests needs is never used.
const MOST_NONCES = 32;

/** One CA as all its orders share it, for the life of the process: the directory it gave, the nonces it left us. */
export type Ca = {
  readonly directoryUrl: string;
  /**
   * Handed out with the CA's replies and used by nobody yet, the youngest last (RFC 8555 §6.5). Age doesn't count: an old one costs
   * one refused request, the same as asking newNonce for a fresh one, and mostly it costs nothing.
   */
  readonly nonces: string[];
  readonly transport: Transport;
  readonly clock: Clock;
  /**
   * The directory, asked for once a day. Throws OperatorError of origin `ca-unreachable` or the signal's reason. Parallel calls are
   * safe.
   */
  directory(signal: AbortSignal): Promise<Directory>;
  /** Has the directory asked for anew next time. */
  forgetDirectory(): void;
};

/** Makes the shared part of a CA; nothing is asked yet. */
export function createCa(directoryUrl: string, transport: Transport, clock: Clock): Ca {
  let known: { readonly directory: Directory; readonly askedAt: number } | undefined;
  const ask = async (signal: AbortSignal): Promise<Directory> => {
    const askedAt = clock.now().getTime();
    if (URL.parse(directoryUrl)?.protocol === "http:") throw plainHttp(directoryUrl, "us");
    const reply = await transport({ url: directoryUrl, method: "GET", signal });
    const directory = directoryIn(directoryUrl, reply, clock.now());
    known = { directory, askedAt };
    return directory;
  };
  return {
    directoryUrl,
    nonces: [],
    transport,
    clock,
    directory: async (signal) => {
      // A clock that was set back must not make it young for ever.
      const isYoung = known && Math.abs(clock.now().getTime() - known.askedAt) < DIRECTORY_AGE_MS;
      if (known && isYoung) return known.directory;
      return askedByAnybody(() => ask(signal));
    },
    forgetDirectory: () => {
      known = undefined;
    },
  };
}

/** Keeps a nonce that is not going to be used at once. */
export function keepNonce({ nonces }: Ca, nonce: string): void {
  nonces.push(nonce);
  if (nonces.length > MOST_NONCES) nonces.shift();
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

// Whatever goes wrong in a request that needs no account and counts for nothing, the CA as a whole is out of reach, but where we
// didn't even come as far as the proxy.
async function askedByAnybody<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OperatorError && error.origin !== "proxy") Object.assign(error, { origin: "ca-unreachable" });
    throw error;
  }
}

const OTHERWISE = "see that CERTBOT_SERVER is the URL of the CA's ACME directory";

function directoryIn(directoryUrl: string, reply: HttpReply, now: Date): Directory {
  const { status, headers, text } = reply;
  const asked = { url: directoryUrl, doing: "give its directory" };
  const data = parseJson(text);
  if (isStrayPage(reply)) throw new WebPageError(directoryUrl, reply, OTHERWISE);
  if (status === 429 || status >= 500 || isAcmeProblem(data)) throw refusalOf(asked, reply, now);
  const directory = status === 200 ? readDirectory(directoryUrl, data) : undefined;
  if (directory !== undefined) return directory;
  const kind = headers["content-type"] ?? "no content type";
  const missing = isRecord(data) ? `, without ${missingIn(data).join(", ")}` : "";
  throw new PlainError({
    code: "ACME_NOT_A_DIRECTORY", // `CERTBOT_SERVER` is not the URL of an ACME directory (RFC 8555 §7.1.1).
    origin: "ca-unreachable",
    message: `${directoryUrl} is not an ACME directory: it answered ${status} with ${kind}${missing}${redirectIn(reply)}`,
    remedy: "Set CERTBOT_SERVER to the URL of the CA's ACME directory, as the CA's documentation gives it.",
  });
}
