import type { Log } from "../reconcile/index.ts";
import type { Ca } from "./ca.ts";
import { CaFailingError, CaUnreachableError, UnexpectedAnswerError } from "./connection-errors.ts";
import type { Directory } from "./objects.ts";
import { ACME_ERROR, readProblem } from "./problem.ts";
import { parseJson, refusalOf } from "./refusal.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** Who signs: the key, and the account URL once there is one (RFC 8555 §6.2: `kid`, else `jwk`). */
export type Signer = { readonly privateKeyPem: string; readonly url?: string | undefined };

/** A CA's answer to a signed request that it accepted. */
export type Answer = {
  /** The URL that was asked. */
  readonly url: string;
  /** JSON where the CA sent JSON, else undefined. */
  readonly data: unknown;
  readonly text: string;
  /** The Location header: the URL of what was made. */
  readonly location?: string | undefined;
  readonly retryAfter?: Date | undefined;
};

/** A target of a request: a URL, or the directory's field that has it. */
export type Resource = string | ((directory: Directory) => string);

/** One account's way to ask a CA, for as long as one signal lives. */
export type Connection = {
  /**
   * Sends a signed request, POST-as-GET when `payload` is null (RFC 8555 §6.3). `doing` finishes "The CA refused to …".
   * Refused nonces and failures of line or server are repeated a few times, each time signed anew. Throws OperatorError,
   * a ProblemError where the CA sent a problem document, or the signal's reason. Parallel calls are safe.
   */
  post(doing: string, resource: Resource, payload: object | null): Promise<Answer>;
  /** What proves a challenge's token (RFC 8555 §8.1). */
  keyAuthorization(token: string): Promise<string>;
};

/** What a connection reports to and ends with. */
export type ConnectionOptions = { readonly log: Log; readonly signal: AbortSignal };

// Long enough for a server that restarts behind a load balancer, short enough for somebody who watches.
const REPEAT_DELAYS_MS = [250, 1000];

/** Opens a connection; nothing is asked yet. The library behind it is loaded at first use: it costs 20 MB and 200 ms. */
export async function connect(ca: Ca, signer: Signer, { log, signal }: ConnectionOptions): Promise<Connection> {
  const client = await signingClient(ca, signer, signal);
  const includeJwsKid = signer.url !== undefined;
  const ask = async (doing: string, resource: Resource, payload: object | null): Promise<Answer> => {
    const url = typeof resource === "string" ? resource : resource(await ca.directory(signal));
    const reply = await client.api.apiRequest(url, payload, [], { includeJwsKid });
    const now = ca.clock.now();
    if (reply.status < 200 || reply.status >= 300) throw refusalOf(url, doing, reply, now);
    const { location, "retry-after": retryAfter } = reply.headers;
    return { url, data: reply.data, text: reply.text, location, retryAfter: parseRetryAfter(retryAfter, now) };
  };
  return {
    keyAuthorization: (token) => client.getChallengeKeyAuthorization({ type: "http-01", token }),
    post: async (doing, resource, payload) => {
      for (const delayMs of REPEAT_DELAYS_MS) {
        try {
          return await ask(doing, resource, payload);
        } catch (error) {
          if (!isWorthRepeating(error)) throw error;
          log.warn("request.repeated", {
            ca: ca.directoryUrl,
            doing,
            code: error.code,
            reason: error.message,
            delayMs,
          });
          await ca.clock.sleep(delayMs, signal);
        }
      }
      return ask(doing, resource, payload);
    },
  };
}

/** acme-client with its own network, nonces and directory replaced: it signs, and it signs again after badNonce. */
async function signingClient(ca: Ca, signer: Signer, signal: AbortSignal) {
  const { default: Client } = await import("acme-client/src/client.js");
  const client = new Client({
    directoryUrl: ca.directoryUrl,
    accountKey: signer.privateKeyPem,
    ...(signer.url === undefined ? {} : { accountUrl: signer.url }),
  });
  client.http.getDirectory = () => ca.directory(signal);
  client.http.getNonce = async () => ca.nonces.take() ?? freshNonce(ca, signal);
  client.http.request = async (url, _method, options = {}) => {
    // With the directory and the nonces ours, all that is left for the library to send are signed POSTs.
    const reply = await ca.transport({ url, method: "POST", body: JSON.stringify(options.data), signal });
    const isJson = /\bjson\b/.test(reply.headers["content-type"] ?? "");
    const data = isJson ? parseJson(reply.text) : undefined;
    keepNonce(ca, reply.headers["replay-nonce"], data);
    return { ...reply, data };
  };
  return client;
}

// The nonce of a badNonce reply is the library's for its repeat: in the pool as well, it would be used twice.
function keepNonce(ca: Ca, nonce: string | undefined, data: unknown): void {
  if (readProblem(data)?.type === `${ACME_ERROR}badNonce`) ca.nonces.clear();
  else if (nonce !== undefined) ca.nonces.put(nonce);
}

async function freshNonce(ca: Ca, signal: AbortSignal): Promise<string> {
  const { newNonce } = await ca.directory(signal);
  const reply = await ca.transport({ url: newNonce, method: "HEAD", signal });
  const nonce = reply.headers["replay-nonce"];
  if (nonce !== undefined) return nonce;
  if (reply.status >= 400) throw refusalOf(newNonce, "give a nonce", reply, ca.clock.now());
  throw new UnexpectedAnswerError(newNonce, "a nonce was expected (RFC 8555 §7.2)");
}

function isWorthRepeating(error: unknown): error is CaUnreachableError | CaFailingError {
  return error instanceof CaUnreachableError || error instanceof CaFailingError;
}
