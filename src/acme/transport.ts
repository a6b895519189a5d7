import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { createSecureContext, getCACertificates } from "node:tls";
import { certificatesIn } from "../certificate/index.ts";
import {
  AnswerTooLong,
  CaBundleUnreadableError,
  connectionError,
  PlainHttpError,
  RequestTimedOut,
  UnexpectedAnswerError,
} from "./failures/connection-errors.ts";

/** One request to a CA. */
export type CaRequest = {
  readonly url: string;
  readonly method: "GET" | "HEAD" | "POST";
  /** A signed request in JSON (RFC 8555 §6.2). */
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
};

/** What a CA answered, whatever its status. Header names are lower-case. */
export type CaReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
};

/**
 * Carries one request to a CA and its reply back, over https only, following no redirect. Throws OperatorError when there
 * is no whole reply, or the signal's reason once it aborts. Parallel calls are safe.
 */
export type Transport = (request: CaRequest) => Promise<CaReply>;

/** How to reach CAs. */
export type TransportOptions = {
  /** `cert-sidecar/<version> (+url)`: RFC 8555 §6.1 asks for it, and Let's Encrypt's people read it. */
  readonly userAgent: string;
  /** Certificates trusted beside Node's own, one or more PEM blocks. */
  readonly caBundlePem?: string | undefined;
  /** False only for certbot's `--no-verify-ssl`. */
  readonly verifyTls?: boolean | undefined;
  /** From the first byte sent to the last received, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** `HTTPS_PROXY` and `NO_PROXY`, when they are to be obeyed. */
  readonly proxyEnvironment?: Readonly<Record<string, string | undefined>> | undefined;
};

// The longest honest bodies are certificate chains of some 10 KB.
const LONGEST_BODY_BYTES = 1024 * 1024;

/** Makes the one way to CAs. Throws CaBundleUnreadableError. Connections are kept open between requests; none holds the process. */
export function createTransport(options: TransportOptions): Transport {
  const agent = createAgent(options);
  return async (request) => {
    request.signal.throwIfAborted();
    const url = URL.parse(request.url);
    if (url === null) throw new UnexpectedAnswerError(request.url, "it is not a URL");
    if (url.protocol !== "https:") throw new PlainHttpError(request.url, "the-ca");
    try {
      return await exchange(url, request, agent, options);
    } catch (cause) {
      request.signal.throwIfAborted();
      throw connectionError(url, cause);
    }
  };
}

function createAgent({ caBundlePem, verifyTls, proxyEnvironment }: TransportOptions): Agent {
  return new Agent({
    keepAlive: true,
    rejectUnauthorized: verifyTls ?? true,
    ...(caBundlePem === undefined ? {} : { secureContext: trustAlso(caBundlePem) }),
    ...(proxyEnvironment === undefined ? {} : { proxyEnv: proxyEnvironment }),
  });
}

// OpenSSL skips what it can't read in a list of roots, without a word; so each block is read here first.
function trustAlso(bundlePem: string) {
  try {
    const blocks = certificatesIn(bundlePem);
    if (blocks.length === 0) throw new Error("there is no PEM certificate in it");
    for (const block of blocks) void new X509Certificate(block).subject;
    return createSecureContext({ ca: [...getCACertificates("default"), ...blocks] });
  } catch (cause) {
    throw new CaBundleUnreadableError(cause);
  }
}

async function exchange(url: URL, request: CaRequest, agent: Agent, options: TransportOptions): Promise<CaReply> {
  const { promise, resolve, reject } = Promise.withResolvers<CaReply>();
  const headers = {
    "User-Agent": options.userAgent,
    "Accept-Language": "en",
    ...(request.body === undefined
      ? {}
      : { "Content-Type": "application/jose+json", "Content-Length": Buffer.byteLength(request.body) }),
  };
  const outgoing = httpsRequest(url, { agent, method: request.method, headers });
  const stop = (reason: Error) => {
    outgoing.destroy(reason);
    reject(reason);
  };
  const timer = setTimeout(() => stop(new RequestTimedOut(options.requestTimeoutMs)), options.requestTimeoutMs);
  const onAbort = () => stop(new Error("aborted"));
  request.signal.addEventListener("abort", onAbort, { once: true });
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    readReply(incoming).then(resolve, reject);
  });
  outgoing.end(request.body);
  return promise.finally(() => {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", onAbort);
  });
}

async function readReply(incoming: IncomingMessage): Promise<CaReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    const bytes = chunk as Buffer; // no encoding is set, so chunks are Buffers
    length += bytes.length;
    if (length > LONGEST_BODY_BYTES) throw new AnswerTooLong(LONGEST_BODY_BYTES);
    chunks.push(bytes);
  }
  return {
    status: incoming.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, [value].flat().join(", ")]),
    ),
    text: Buffer.concat(chunks).toString("utf8"),
  };
}
