import { errnoOf, type FailureOrigin, OperatorError, wordsOf } from "../../certificate/index.ts";
import type { ProxyFailure } from "../../ports/index.ts";

/** The proxy that `HTTPS_PROXY` names failed on the way to the CA, which was not asked. The message says how. */
export class ProxyFailedError extends OperatorError {
  readonly code = "ACME_PROXY_FAILED";
  readonly remedy: string;
  override readonly origin: FailureOrigin;

  constructor(url: URL, cause: Error & ProxyFailure) {
    super(`The CA at ${url.origin} was not asked: ${wordsOf(cause)}`, { cause });
    const { remedy, isOfThisWay = false } = whatToDo(url, cause);
    this.remedy = remedy;
    // A way that it doesn't give, it may give to another CA; a proxy that takes nobody says nothing of any CA.
    this.origin = isOfThisWay ? "ca-unreachable" : "proxy";
  }
}

/** Whether something thrown by an HttpExchange is a failure of the proxy. */
export function isOfProxy(cause: unknown): cause is Error & ProxyFailure {
  return cause instanceof Error && "proxy" in cause;
}

type Advice = { readonly remedy: string; readonly isOfThisWay?: boolean };

function whatToDo({ hostname, port }: URL, cause: Error & ProxyFailure): Advice {
  const there = `${hostname}:${port || 443}`;
  const status = cause.proxyStatus ?? 0;
  if (status === 407) {
    return { remedy: "Write the proxy's user and password into HTTPS_PROXY: http://user:password@host:port." };
  }
  if (status >= 500) {
    return { remedy: `See that the proxy can reach ${there}; it is tried again by itself.`, isOfThisWay: true };
  }
  if (status > 0) return { remedy: `Have the proxy allow CONNECT to ${there}.`, isOfThisWay: true };
  const remedy = "Correct host and port in HTTPS_PROXY, or start the proxy; NO_PROXY names what is reached without it.";
  // What was silent may have been silent about the CA.
  return { remedy, isOfThisWay: !NOBODY.has(errnoOf(cause)) };
}

// Nobody was there to be asked for a way.
const NOBODY = new Set(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);
