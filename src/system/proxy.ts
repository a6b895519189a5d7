import { STATUS_CODES } from "node:http";
import { errnoOf, wordsOf } from "../certificate/index.ts";
import type { ProxyFailure } from "../ports/index.ts";

/** The proxy that Node takes for https, without what is secret of it; undefined where there is none that it can use. */
export function proxyAddress(environment: Readonly<Record<string, string | undefined>> = {}): string | undefined {
  const url = URL.parse(environment["https_proxy"] || environment["HTTPS_PROXY"] || "");
  return url?.protocol === "http:" || url?.protocol === "https:" ? `${url.protocol}//${url.host}` : undefined;
}

// Of the system (but EPROTO, which is OpenSSL's), of Node's tunnel, or of our time limit, which has none. All others are TLS's: the
// handshake goes through the proxy, with the other side.
const CODES = /^(?:E(?!RR_|PROTO)[A-Z_]+|ERR_PROXY_TUNNEL|)$/;

/** Whether a failure before there was a way is the proxy's, or can't be told from it. */
export function isProxys(failure: unknown): boolean {
  return CODES.test(errnoOf(failure));
}

/** What a request to `url` is thrown when the proxy failed. */
export function proxyError(proxy: string, url: string, cause: unknown): Error & ProxyFailure {
  const { statusCode } = cause as { statusCode?: unknown };
  // Of what speaks no HTTP it is no number.
  const proxyStatus = Number.isInteger(statusCode) ? Number(statusCode) : undefined;
  const words = `the proxy ${proxy} ${whatItDid(new URL(url), proxyStatus, cause)}`;
  return Object.assign(new Error(words, { cause }), { code: errnoOf(cause), proxy, proxyStatus });
}

function whatItDid({ host, hostname, port }: URL, status: number | undefined, cause: unknown): string {
  const code = errnoOf(cause);
  const there = port === "" ? `${hostname}:443` : host;
  const answer = [status ?? [], STATUS_CODES[status ?? 0] ?? []].flat().join(" ");
  if (answer !== "") return `answered ${answer} when asked for a way to ${there}`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `has a name that does not resolve (${code})`;
  if (code === "ECONNREFUSED") return "refused the connection (ECONNREFUSED)";
  return `let nothing through to ${there}: ${wordsOf(cause)}`;
}
