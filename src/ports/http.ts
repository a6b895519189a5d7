/** One request over http or https. */
export type HttpRequest = {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** From the first byte sent to the last received, in milliseconds. */
  readonly timeoutMs: number;
  /** A longer answer is an error; 1 MiB when left out. */
  readonly longestBodyBytes?: number | undefined;
};

/** What was answered, whatever its status. Header names are lower-case. */
export type HttpReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
};

/** The `code` of an error of {@link HttpExchange} for an answer that is too long. */
export type TooLong = "ERR_HTTP_TOO_LONG";

/** What an error of {@link HttpExchange} has beside its code where the proxy on the way failed, and the other side heard nothing. */
export type ProxyFailure = {
  /** Scheme, host and port. */
  readonly proxy: string;
  /** What it answered when it was asked for a way. */
  readonly proxyStatus?: number | undefined;
};

/**
 * Carries a request there and its reply back, following no redirect. Rejects when there is no whole reply, with an Error whose
 * message says why and whose `code`, where it has one, is Node's or {@link TooLong}; a proxy's has the fields of
 * {@link ProxyFailure}. With the signal's reason once that aborts.
 * Parallel calls are safe.
 */
export type HttpExchange = (request: HttpRequest, signal: AbortSignal) => Promise<HttpReply>;
