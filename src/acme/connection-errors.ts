import { OperatorError } from "../certificate/index.ts";

/** No answer came from the CA: its name doesn't resolve, nothing listens, the line broke, or time ran out. */
export class CaUnreachableError extends OperatorError {
  readonly code = "ACME_UNREACHABLE";
  readonly remedy: string;

  /** `origin` is the CA's scheme, host and port. */
  constructor(origin: string, { words, remedy }: Unreachable, cause: unknown) {
    super(`No answer from the CA at ${origin}: ${words}`, { cause });
    this.remedy = remedy;
  }
}

/** The CA's own HTTPS certificate can't be trusted, so nothing was sent to it. */
export class CaUntrustedError extends OperatorError {
  readonly code = "ACME_UNTRUSTED";
  readonly remedy =
    "Put the root certificate of a private CA into a PEM file and name it in CERTBOT_CA_BUNDLE; for a public CA, check " +
    "the clock and what stands between this machine and the CA.";

  constructor(origin: string, words: string, cause: unknown) {
    super(`The HTTPS certificate of the CA at ${origin} is not trusted: ${words}`, { cause });
  }
}

/** `CERTBOT_CA_BUNDLE` holds no certificate that can be read. */
export class CaBundleUnreadableError extends OperatorError {
  readonly code = "ACME_CA_BUNDLE_UNREADABLE";
  readonly remedy = "Put the CA's root into the file named by CERTBOT_CA_BUNDLE, as PEM (-----BEGIN CERTIFICATE-----).";

  constructor(cause: unknown) {
    super(`The certificates of CERTBOT_CA_BUNDLE can't be read: ${wordsOf(cause)}`, { cause });
  }
}

/** An ACME URL that isn't https; RFC 8555 §6.1 knows no other. */
export class PlainHttpError extends OperatorError {
  readonly code = "ACME_PLAIN_HTTP";
  readonly remedy = "Set CERTBOT_SERVER to the https:// URL of the CA's ACME directory.";

  constructor(url: string) {
    super(`${url} was not asked: ACME works over https only`);
  }
}

/** Whatever answers at the directory URL, it is no ACME directory (RFC 8555 §7.1.1). */
export class NotAnAcmeDirectoryError extends OperatorError {
  readonly code = "ACME_NOT_A_DIRECTORY";
  readonly remedy = "Set CERTBOT_SERVER to the URL of the CA's ACME directory, as the CA's documentation gives it.";

  constructor(directoryUrl: string, words: string) {
    super(`${directoryUrl} is not an ACME directory: it answered ${words}`);
  }
}

/** The CA answered with something that no ACME server answers. */
export class UnexpectedAnswerError extends OperatorError {
  readonly code = "ACME_UNEXPECTED_ANSWER";
  readonly remedy = "Wait for the next try; if it stays, ask whoever runs the CA, and look for a proxy in between.";

  constructor(url: string, words: string, cause?: unknown) {
    super(`The CA's answer at ${url} makes no sense: ${words}`, { cause });
  }
}

/** The CA answered 5xx, again and again, without saying for how long. */
export class CaFailingError extends OperatorError {
  readonly code = "ACME_CA_FAILING";
  readonly remedy = "Leave the daemon running, it tries again by itself; look at the CA's status page if it lasts.";

  constructor(doing: string, status: number, words: string) {
    super(`The CA failed with ${status} when asked to ${doing}: ${words}`);
  }
}

/** Thrown by the transport when a request has had its time. */
export class RequestTimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no complete answer within ${timeoutMs / 1000} s`);
  }
}

/** Thrown by the transport when a body is longer than any ACME object. */
export class AnswerTooLong extends Error {
  constructor(limitBytes: number) {
    super(`it is longer than ${limitBytes} bytes`);
  }
}

type Unreachable = { readonly words: string; readonly remedy: string };

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

// Node.js tells its own user what to do; whoever runs a container can't, and the remedy says better.
const NODE_ADVICE = /; if the root CA is installed locally.*$/;

/** Makes what the operator sees of a failed exchange with `url`. */
export function connectionError(url: URL, cause: unknown): OperatorError {
  if (cause instanceof OperatorError) return cause;
  if (cause instanceof AnswerTooLong) return new UnexpectedAnswerError(url.href, cause.message, cause);
  const code = codeOf(cause);
  if (DISTRUST.has(code)) return new CaUntrustedError(url.origin, wordsOf(cause).replace(NODE_ADVICE, ""), cause);
  if (code.startsWith("HPE_")) return new UnexpectedAnswerError(url.href, `it is not HTTP (${wordsOf(cause)})`, cause);
  return new CaUnreachableError(url.origin, whyUnreachable(url, code, cause), cause);
}

function whyUnreachable(url: URL, code: string, cause: unknown): Unreachable {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        words: `the name ${url.hostname} does not resolve (${code})`,
        remedy: "Check CERTBOT_SERVER for a typo, and that this container can resolve names.",
      };
    case "ECONNREFUSED":
      return {
        words: "the connection was refused (ECONNREFUSED)",
        remedy: "Check host and port in CERTBOT_SERVER, and that the CA is running.",
      };
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return {
        words: `it does not speak TLS (${wordsOf(cause)})`,
        remedy: "Check the port in CERTBOT_SERVER: an HTTPS server must listen there.",
      };
    default:
      return {
        words: wordsOf(cause),
        remedy: "Check that this container can reach the internet (firewall, proxy, DNS); it is tried again by itself.",
      };
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
}

// A connection tried at several addresses fails with an AggregateError, whose own message is empty.
function wordsOf(cause: unknown): string {
  const parts = cause instanceof AggregateError ? cause.errors : [cause];
  const words = parts.map((part) => (part instanceof Error ? part.message : String(part)).trim()).join("; ");
  return words || codeOf(cause) || "the connection failed";
}
