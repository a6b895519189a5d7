import { type Identifier, OperatorError, type RetryRule } from "../certificate/index.ts";
import { ACME_ERROR, type Problem, problemWords } from "./problem.ts";

/** The CA refused a request with a problem document. `problem.type` is what code branches on. */
export class ProblemError extends OperatorError {
  readonly code: string;
  readonly remedy: string;
  readonly problem: Problem;

  /** `doing` finishes the sentence "The CA refused to …". */
  constructor(doing: string, problem: Problem) {
    const more = problem.instance === undefined ? "" : ` (${problem.instance})`;
    super(`The CA refused to ${doing}: ${problemWords(problem)}${more}`);
    const { code, remedy } = MEANINGS.get(nameOf(problem)) ?? UNKNOWN;
    this.code = code;
    this.remedy = remedy;
    this.problem = problem;
  }
}

/** The CA asks for patience: 429, or 503 with a time (RFC 8555 §6.6). */
export class RateLimitedError extends OperatorError {
  readonly code = "ACME_RATE_LIMITED";
  readonly remedy = "Leave the daemon running, it waits as long as the CA asks; use the staging CA while testing.";
  override readonly retry: RetryRule;

  /** `notBefore` is the reply's Retry-After. */
  constructor(doing: string, words: string, notBefore: Date | undefined) {
    const until = notBefore === undefined ? "" : ` until ${notBefore.toISOString()}`;
    super(`The CA refused to ${doing}${until}: ${words}`);
    this.retry = notBefore === undefined ? "next-run" : { notBefore };
  }
}

/** What the CA says went wrong with the proof for one identifier. */
export type FailedProof = { readonly identifier: Identifier; readonly problem: Problem };

/** The CA looked for one or more proofs and did not find them (RFC 8555 §7.5.1). */
export class ChallengeFailedError extends OperatorError {
  readonly code: string;
  readonly remedy: string;
  readonly failures: readonly FailedProof[];

  /** `failures` holds at least one. */
  constructor(failures: readonly FailedProof[]) {
    const parts = failures.map(({ identifier, problem }) => `${identifier.value}: ${problemWords(problem)}`);
    super(`The CA could not verify ${parts.join(" | ")}`);
    const meanings = failures.map(({ problem }) => CHALLENGE_MEANINGS.get(nameOf(problem)) ?? UNKNOWN_CHALLENGE);
    const codes = new Set(meanings.map(({ code }) => code));
    this.code = codes.size === 1 ? (meanings[0]?.code ?? UNKNOWN_CHALLENGE.code) : UNKNOWN_CHALLENGE.code;
    this.remedy = [...new Set(meanings.map(({ remedy }) => remedy))].join(" ");
    this.failures = failures;
  }
}

type Meaning = { readonly code: string; readonly remedy: string };

const UNKNOWN: Meaning = {
  code: "ACME_PROBLEM",
  remedy:
    "Read what the CA says; if it is no fault of the settings, leave the daemon running: it tries again by itself.",
};

// Keyed by the type's name after ACME_ERROR (RFC 8555 §6.7, registry "ACME Error Types").
const MEANINGS = meanings({
  accountDoesNotExist: {
    code: "ACME_ACCOUNT_REFUSED",
    remedy: "Run update-cert again: a new account is registered when the CA no longer knows the old one.",
  },
  badNonce: {
    code: "ACME_BAD_NONCE",
    remedy: "Leave the daemon running, it tries again by itself; if it stays, tell whoever runs the CA.",
  },
  caa: {
    code: "ACME_CAA",
    remedy: "Allow this CA in the domain's CAA records, or remove them; then run update-cert.",
  },
  externalAccountRequired: {
    code: "ACME_EXTERNAL_ACCOUNT_REQUIRED",
    remedy:
      "Use a CA that needs no external account binding: this one wants a key id and an HMAC key from its website.",
  },
  invalidContact: {
    code: "ACME_BAD_CONTACT",
    remedy: "Set CERTBOT_EMAIL to an address that exists, or leave it empty; then run update-cert.",
  },
  rejectedIdentifier: {
    code: "ACME_REJECTED_IDENTIFIER",
    remedy: "Correct CERTBOT_DOMAIN, or ask another CA: this one signs no certificate for that name.",
  },
  unsupportedIdentifier: {
    code: "ACME_REJECTED_IDENTIFIER",
    remedy: "Take the name out of CERTBOT_DOMAIN, or ask another CA: this one does not sign names of that kind.",
  },
  unsupportedContact: {
    code: "ACME_BAD_CONTACT",
    remedy: "Set CERTBOT_EMAIL to one plain e-mail address, or leave it empty; then run update-cert.",
  },
  userActionRequired: {
    code: "ACME_USER_ACTION_REQUIRED",
    remedy: "Open the address that the CA names and do what it asks there; then run update-cert.",
  },
});

const UNKNOWN_CHALLENGE: Meaning = {
  code: "ACME_CHALLENGE_FAILED",
  remedy: "Read what the CA says of each name and mend it; then run update-cert.",
};

const WRONG_ANSWER: Meaning = {
  code: "ACME_CHALLENGE_WRONG_ANSWER",
  remedy:
    "Check that the name's A and AAAA records point to this machine and that nginx serves " +
    "/.well-known/acme-challenge/ on port 80 from the webroot it shares with the sidecar; then run update-cert.",
};

const CHALLENGE_MEANINGS = meanings({
  connection: {
    code: "ACME_CHALLENGE_UNREACHABLE",
    remedy:
      "Open port 80 of this machine to the internet (firewall, router, cloud security group) and check that the name's " +
      "A and AAAA records point to it; then run update-cert.",
  },
  dns: {
    code: "ACME_CHALLENGE_DNS",
    remedy:
      "Give the name an A or AAAA record that points to this machine, and wait until it is seen; then run update-cert.",
  },
  caa: {
    code: "ACME_CAA",
    remedy: "Allow this CA in the domain's CAA records, or remove them; then run update-cert.",
  },
  unauthorized: WRONG_ANSWER,
  incorrectResponse: WRONG_ANSWER,
  tls: {
    code: "ACME_CHALLENGE_TLS",
    remedy: "Answer /.well-known/acme-challenge/ over plain http on port 80, without a redirect; then run update-cert.",
  },
});

// A map, since the CA chooses the key: an object would know "constructor" too.
function meanings(table: Readonly<Record<string, Meaning>>): ReadonlyMap<string, Meaning> {
  return new Map(Object.entries(table));
}

function nameOf(problem: Problem): string {
  return problem.type.startsWith(ACME_ERROR) ? problem.type.slice(ACME_ERROR.length) : problem.type;
}
