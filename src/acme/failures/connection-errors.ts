import { errnoOf, type FailureOrigin, OperatorError, PlainError, wordsOf } from "../../certificate/index.ts";
import type { TooLong } from "../../ports/index.ts";
import { isOfProxy, ProxyFailedError } from "./proxy-failed.ts";

/** No answer came from the CA: its name doesn't resolve, nothing listens, the line broke, or it is down. */
export class CaUnreachableError extends OperatorError {
  readonly code = "ACME_UNREACHABLE";
  override readonly origin: FailureOrigin = "ca-unreachable";
  readonly remedy: string;

  /** Whether it will probably be so for hours: no such name, nothing listens, no TLS (RFC 9773 §4.3.3 keeps them apart). */
  readonly isLasting: boolean;

  /** `site` is the CA's scheme, host and port. */
  constructor(site: string, { words, remedy, isLasting = false }: Reason, cause: unknown) {
    super(`No answer from the CA at ${site}: ${words}`, { cause });
    this.remedy = remedy;
    this.isLasting = isLasting;
  }
}

/** Of a URL that is http: `namedBy` "us" for a directory URL; "the-ca" for one that stands in an answer of the CA. */
export function plainHttp(url: string, namedBy: "us" | "the-ca"): PlainError {
  const isOurs = namedBy === "us";
  return new PlainError({
    // The CA's URL, or one that the CA names, is http; ACME is spoken over https alone (RFC 8555 §6.1).
    code: "ACME_PLAIN_HTTP",
    origin: "ca-failing",
    message: `${isOurs ? url : `${url}, which the CA names,`} was not asked: ACME works over https only`,
    remedy: isOurs
      ? "Set CERTBOT_SERVER to the https:// URL of the CA's ACME directory."
      : "Have whoever runs the CA make it name https:// URLs; behind a proxy it must be told its public address.",
  });
}

/** The CA answered something that isn't ACME. */
export class UnexpectedAnswerError extends OperatorError {
  readonly code: string = "ACME_UNEXPECTED_ANSWER";
  override readonly origin: FailureOrigin = "ca-failing";
  readonly remedy: string =
    "Wait for the next try; if it stays, ask whoever runs the CA, and look for a proxy in between.";

  /** Of a refusal without a problem document. */
  readonly status: number | undefined;

  constructor(url: string, words: string, { cause, status }: { cause?: unknown; status?: number } = {}) {
    super(`The CA's answer at ${url} makes no sense: ${words}`, { cause });
    this.status = status;
  }
}

/** The CA answers with errors of its own (5xx), again and again. Waiting is right. */
export class CaFailingError extends OperatorError {
  readonly code = "ACME_CA_FAILING";
  override readonly origin: FailureOrigin = "ca-failing";
  readonly remedy = "Leave the daemon running, it tries again by itself; look at the CA's status page if it lasts.";

  constructor(doing: string, status: number, words: string) {
    super(`The CA failed with ${status} when asked to ${doing}: ${words}`);
  }
}

type Reason = { readonly words: string; readonly remedy: string; readonly isLasting?: boolean };

const DISTRUST = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "INVALID_CA",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const TOO_LONG: TooLong = "ERR_HTTP_TOO_LONG";

// Node.js tells its own user what to do; whoever runs a container can't, and the remedy says better.
const NODE_ADVICE = /; if the root CA is installed locally.*$/;

/** Makes what the operator sees of a failed exchange with `url`. */
export function connectionError(url: URL, cause: unknown): OperatorError {
  if (cause instanceof OperatorError) return cause;
  if (isOfProxy(cause)) return new ProxyFailedError(url, cause);
  const code = errnoOf(cause);
  const words = wordsOf(cause).trim();
  if (code === TOO_LONG) return new UnexpectedAnswerError(url.href, words, { cause });
  if (DISTRUST.has(code)) return untrusted(url.origin, code, { words, cause });
  if (code.startsWith("HPE_")) return new UnexpectedAnswerError(url.href, `it is not HTTP (${words})`, { cause });
  return new CaUnreachableError(url.origin, whyUnreachable(url, code, words), cause);
}

function untrusted(site: string, code: string, { words, cause }: { words: string; cause: unknown }): PlainError {
  const isAboutTime = code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID";
  // TLS goes by the machine's own clock, so that is the one to show.
  const clock = isAboutTime ? `; this machine's clock shows ${new Date().toISOString()}` : "";
  return new PlainError({
    // The CA's own HTTPS certificate isn't trusted. Set `CERTBOT_CA_BUNDLE` for a private CA, or this machine's clock.
    code: "ACME_UNTRUSTED",
    origin: "ca-unreachable",
    message: `The HTTPS certificate of the CA at ${site} is not trusted: ${words.replace(NODE_ADVICE, "")}${clock}`,
    remedy: isAboutTime
      ? "Set this machine's clock (NTP); if it is right, have whoever runs the CA renew its HTTPS certificate."
      : "Put the root certificate of a private CA into a PEM file and name it in CERTBOT_CA_BUNDLE; for a public CA, look " +
        "for what stands between this machine and the CA.",
    cause,
  });
}

function whyUnreachable(url: URL, code: string, words: string): Reason {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        words: `the name ${url.hostname} does not resolve (${code})`,
        remedy:
          "Check CERTBOT_SERVER for a typo, and that this container can resolve names; with the Docker engine down it can't.",
        isLasting: true,
      };
    case "ECONNREFUSED":
      return {
        words: "the connection was refused (ECONNREFUSED)",
        remedy: "Check host and port in CERTBOT_SERVER, and that the CA is running.",
        isLasting: true,
      };
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return {
        words: `it does not speak TLS (${words})`,
        remedy: "Check the port in CERTBOT_SERVER: an HTTPS server must listen there.",
        isLasting: true,
      };
    default:
      return {
        words,
        remedy: "Check that this container can reach the internet (firewall, proxy, DNS); it is tried again by itself.",
      };
  }
}
