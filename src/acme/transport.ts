import type { HttpExchange, HttpReply } from "../ports/index.ts";
import { connectionError, plainHttp, UnexpectedAnswerError } from "./failures/connection-errors.ts";

/** One request to a CA. */
export type CaRequest = {
  readonly url: string;
  readonly method: "GET" | "HEAD" | "POST";
  /** A signed request in JSON (RFC 8555 §6.2). */
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
};

/** Carries one request to a CA and its reply back, over https only. Throws OperatorError, or the signal's reason once it aborts. */
export type Transport = (request: CaRequest) => Promise<HttpReply>;

/** Makes the one way to CAs; each request has `timeoutMs`. */
export function createTransport(http: HttpExchange, timeoutMs: number): Transport {
  return async ({ url, method, body, signal }) => {
    signal.throwIfAborted();
    const parsed = URL.parse(url);
    if (parsed === null) throw new UnexpectedAnswerError(url, "it is not a URL");
    if (parsed.protocol !== "https:") throw plainHttp(url, "the-ca");
    const type = body === undefined ? {} : { "Content-Type": "application/jose+json" };
    try {
      return await http({ url, method, headers: { "Accept-Language": "en", ...type }, body, timeoutMs }, signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw connectionError(parsed, cause);
    }
  };
}
