import { errnoOf, type FailureOrigin, OperatorError } from "../../certificate/index.ts";
import type { TooLong } from "../../ports/index.ts";

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

/** The CA's own HTTPS certificate isn't trusted. Set `CERTBOT_CA_BUNDLE` for a private CA, or this machine's clock. */
export class CaUntrustedError extends OperatorError {
  readonly code = "ACME_UNTRUSTED";
  override readonly origin: FailureOrigin = "ca-unreachable";
  readonly remedy: string;

  constructor(site: string, { words, remedy }: Reason, cause: unknown) {
    super(`The HTTPS certificate of the CA at ${site} is not trusted: ${words}`, { cause });
    this.remedy = remedy;
  }
}

/** The CA's URL, or one that the CA names, is http; ACME is spoken over https alone (RFC 8555 §6.1). */
export class PlainHttpError extends OperatorError {
  readonly code = "ACME_PLAIN_HTTP";
  override readonly origin: FailureOrigin = "ca-failing";
  readonly remedy: string;

  /** `namedBy` "us" for a directory URL; "the-ca" for one that stands in an answer of the CA. */
  constructor(url: string, namedBy: "us" | "the-ca") {
    super(`${namedBy === "us" ? url : `${url}, which the CA names,`} was not asked: ACME works over https only`);
    this.remedy =
      namedBy === "us"
        ? "Set CERTBOT_SERVER to the https:// URL of the CA's ACME directory."
        : "Have whoever runs the CA make it name https:// URLs; behind a proxy it must be told its public address.";
  }
}

/** `CERTBOT_SERVER` is not the URL of an ACME directory (RFC 8555 §7.1.1). */
export class NotAnAcmeDirectoryError extends OperatorError {
  readonly code = "ACME_NOT_A_DIRECTORY";
  override readonly origin: FailureOrigin = "ca-unreachable";
  readonly remedy = "Set CERTBOT_SERVER to the URL of the CA's ACME directory, as the CA's documentation gives it.";

  constructor(directoryUrl: string, words: string) {
    super(`${directoryUrl} is not an ACME directory: it answered ${words}`);
  }
}

/** The CA answered something that isn't ACME. */
export class UnexpectedAnswerError extends OperatorError {
  readonly code = "ACME_UNEXPECTED_ANSWER";
  override readonly origin: FailureOrigin = "ca-failing";
  readonly remedy = "Wait for the next try; if it stays, ask whoever runs the CA, and look for a proxy in between.";

  /** There is nothing at this URL (404, 410), and no problem document that says so. */
  readonly isGone: boolean;

  constructor(url: string, words: string, { cause, isGone = false }: { cause?: unknown; isGone?: boolean } = {}) {
    super(`The CA's answer at ${url} makes no sense: ${words}`, { cause });
    this.isGone = isGone;
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
  const code = errnoOf(cause);
  if (code === TOO_LONG) return new UnexpectedAnswerError(url.href, wordsOf(cause), { cause });
  if (DISTRUST.has(code)) return new CaUntrustedError(url.origin, whyUntrusted(code, cause), cause);
  if (code.startsWith("HPE_"))
    return new UnexpectedAnswerError(url.href, `it is not HTTP (${wordsOf(cause)})`, { cause });
  return new CaUnreachableError(url.origin, whyUnreachable(url, code, cause), cause);
}

function whyUntrusted(code: string, cause: unknown): Reason {
  const words = wordsOf(cause).replace(NODE_ADVICE, "");
  if (code !== "CERT_HAS_EXPIRED" && code !== "CERT_NOT_YET_VALID") {
    const remedy =
      "Put the root certificate of a private CA into a PEM file and name it in CERTBOT_CA_BUNDLE; for a public CA, look " +
      "for what stands between this machine and the CA.";
    return { words, remedy };
  }
  // TLS goes by the machine's own clock, so that is the one to show.
  return {
    words: `${words}; this machine's clock shows ${new Date().toISOString()}`,
    remedy: "Set this machine's clock (NTP); if it is right, have whoever runs the CA renew its HTTPS certificate.",
  };
}

function whyUnreachable(url: URL, code: string, cause: unknown): Reason {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        words: `the name ${url.hostname} does not resolve (${code})`,
        remedy: "Check CERTBOT_SERVER for a typo, and that this container can resolve names.",
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
        words: `it does not speak TLS (${wordsOf(cause)})`,
        remedy: "Check the port in CERTBOT_SERVER: an HTTPS server must listen there.",
        isLasting: true,
      };
    default:
      return {
        words: wordsOf(cause),
        remedy: "Check that this container can reach the internet (firewall, proxy, DNS); it is tried again by itself.",
      };
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.trim() : String(cause);
}
