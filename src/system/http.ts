import { addAbortListener } from "node:events";
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createSecureContext, getCACertificates } from "node:tls";
import { certificatesIn, errnoOf } from "../certificate/index.ts";
import type { HttpExchange, HttpReply, HttpRequest, TooLong } from "../ports/index.ts";
import { isProxys, proxyAddress, proxyError } from "./proxy.ts";

/** How to reach servers. */
export type HttpOptions = {
  /** `cert-sidecar/<version> (+url)`: RFC 8555 §6.1 asks for it, and Let's Encrypt's people read it. */
  readonly userAgent: string;
  /** Certificates trusted beside Node's own, one or more readable PEM blocks. */
  readonly caBundlePem?: string | undefined;
  /** False only for certbot's `--no-verify-ssl`, which means the CA. */
  readonly verifyTls?: boolean | undefined;
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, when they are to be obeyed. */
  readonly proxyEnvironment?: Readonly<Record<string, string | undefined>> | undefined;
};

// The longest honest bodies are certificate chains of some 10 KB.
const LONGEST_BODY_BYTES = 1024 * 1024;
const TOO_LONG: TooLong = "ERR_HTTP_TOO_LONG";

/** Makes a way to servers. Connections are kept open between requests; none holds the process. */
export function createHttp({ userAgent, caBundlePem, verifyTls, proxyEnvironment }: HttpOptions): HttpExchange {
  const common = { keepAlive: true, ...(proxyEnvironment === undefined ? {} : { proxyEnv: proxyEnvironment }) };
  const roots = () =>
    createSecureContext({ ca: [...getCACertificates("default"), ...certificatesIn(caBundlePem ?? "")] });
  const trust = caBundlePem === undefined ? {} : { secureContext: roots() };
  const httpAgent = new HttpAgent(common);
  const httpsAgent = new HttpsAgent({ ...common, ...trust, rejectUnauthorized: verifyTls ?? true });
  const proxy = proxyAddress(proxyEnvironment);
  return async (request, signal) => {
    signal.throwIfAborted();
    const { method, body } = request;
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const options = { method, headers: { "User-Agent": userAgent, ...length, ...request.headers } };
    let outgoing: ClientRequest | undefined;
    try {
      outgoing = request.url.startsWith("http:")
        ? httpRequest(request.url, { ...options, agent: httpAgent })
        : httpsRequest(request.url, { ...options, agent: httpsAgent });
      return await exchange(outgoing, request, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const failure = cause instanceof AggregateError ? withCode(connectionWords(cause), errnoOf(cause)) : cause;
      // A request gets its socket once there is a way through the proxy; without one, before it is connected.
      const isOnTheWay = outgoing !== undefined && !outgoing.socket && isProxys(failure);
      throw proxy !== undefined && isOnTheWay ? proxyError(proxy, request.url, failure) : failure;
    }
  };
}

async function exchange(
  outgoing: ClientRequest,
  { body, timeoutMs, longestBodyBytes }: HttpRequest,
  signal: AbortSignal,
) {
  const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
  const stop = (reason: Error) => {
    outgoing.destroy(reason);
    reject(reason);
  };
  using _timer = setTimeout(() => stop(new Error(`no complete answer within ${timeoutMs / 1000} s`)), timeoutMs);
  using _onAbort = addAbortListener(signal, () => stop(new Error("aborted")));
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    readReply(incoming, longestBodyBytes).then(resolve, reject);
  });
  outgoing.end(body);
  return await promise;
}

async function readReply(incoming: IncomingMessage, longestBytes = LONGEST_BODY_BYTES): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    const bytes = chunk as Buffer; // no encoding is set, so chunks are Buffers
    length += bytes.length;
    if (length > longestBytes) throw withCode(`it is longer than ${longestBytes} bytes`, TOO_LONG);
    chunks.push(bytes);
  }
  return {
    status: incoming.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, [value].flat().join(", ")]),
    ),
    // A byte order mark is taken off.
    text: new TextDecoder().decode(Buffer.concat(chunks)),
  };
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

// A connection tried at several addresses fails with an AggregateError, whose own message is empty.
function connectionWords(cause: unknown): string {
  const parts = cause instanceof AggregateError ? cause.errors : [cause];
  const words = parts.map((part) => (part instanceof Error ? part.message : String(part)).trim()).join("; ");
  return words || errnoOf(cause) || "the connection failed";
}
