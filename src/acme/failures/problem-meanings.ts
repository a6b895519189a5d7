import { type Meaning, meaningOfValidation } from "./failed-proof.ts";
import { type Problem, problemName, type Subproblem } from "./problem.ts";

/** What stands behind a problem with which the CA refused a request, and what to do about it. */
export function meaningOf(problem: Problem): Meaning {
  const own = MEANINGS.get(problemName(problem));
  if (own !== undefined) return own;
  // "compound" says nothing itself (RFC 8555 §6.7.1), and "malformed" is what CAs put above subproblems of several types.
  const below = distinctMeanings(problem.subproblems);
  const [first] = below;
  if (first !== undefined) {
    const code = below.every((meaning) => meaning.code === first.code) ? first.code : UNKNOWN.code;
    return { code, remedy: joinRemedies(below) };
  }
  if (problemName(problem) === "malformed") return MALFORMED;
  return meaningOfValidation(problem) ?? UNKNOWN;
}

function distinctMeanings(subproblems: readonly Subproblem[]): Meaning[] {
  return subproblems.flatMap(({ type, detail }) => {
    const problem = { type, detail, subproblems: [] };
    const isTelling = !["compound", "malformed"].includes(problemName(problem));
    return MEANINGS.get(problemName(problem)) ?? (isTelling ? meaningOfValidation(problem) : undefined) ?? [];
  });
}

// A hundred names can fail for as many reasons; who has mended three runs update-cert and sees the next.
const MOST_REMEDIES = 3;

/** The remedies of several failures, each once. */
export function joinRemedies(meanings: readonly Meaning[]): string {
  return [...new Set(meanings.map(({ remedy }) => remedy))].slice(0, MOST_REMEDIES).join(" ");
}

/** Whether the problem is the CA's own failure rather than its decision (RFC 8555 §6.5, §6.7, §7.4). */
export function isCaFailing(problem: Problem): boolean {
  return ["badNonce", "serverInternal", "orderNotReady"].includes(problemName(problem));
}

/** Of a problem whose type, and whose parts, say nothing that we know. */
export const UNKNOWN: Meaning = {
  code: "ACME_PROBLEM", // The CA refused for a reason that has no entry of its own here: read its words.
  remedy:
    "Read what the CA says; if it is no fault of the settings, leave the daemon running: it tries again by itself.",
};

const MALFORMED: Meaning = {
  // The CA doesn't understand a request: a name or a setting that it points at is wrong, or we are.
  code: "ACME_MALFORMED",
  remedy: "Correct the names or settings that the CA points at; if it points at none, report this with its words.",
};

/** Said by the CA, or found in its directory. */
export const EXTERNAL_ACCOUNT_REQUIRED: Meaning = {
  // This CA wants an external account binding (RFC 8555 §7.3.4), and none is set. Get one from its website.
  code: "ACME_EXTERNAL_ACCOUNT_REQUIRED",
  remedy:
    "Get a key id and an HMAC key at the CA's website, set CERTBOT_EAB_KID and CERTBOT_EAB_HMAC_KEY (of a fallback CA CERTBOT_FALLBACK_EAB_KID and CERTBOT_FALLBACK_EAB_HMAC_KEY); then run update-cert.",
};

const BAD_CONTACT: Meaning = {
  code: "ACME_BAD_CONTACT", // The CA doesn't take `CERTBOT_EMAIL`. Correct it, or leave it empty.
  remedy: "Set CERTBOT_EMAIL to an address that exists, or leave it empty; then run update-cert.",
};

const BAD_ACCOUNT_KEY: Meaning = {
  // The CA doesn't take the key of a very old account. Move its folder away: a new one is registered.
  code: "ACME_BAD_ACCOUNT_KEY",
  remedy:
    "Move this account's folder out of /etc/letsencrypt/accounts, and run update-cert: an account with a key that every " +
    "CA takes is registered.",
};

// Keyed by the type's name after ACME_ERROR: IANA's registry "ACME Error Types", without its entries of a
// validation, which have their meaning with failed proofs, and those that answer no request of ours (revocation, STAR, devices);
// then what CAs use beside it.
// A map, since the CA chooses the key: an object would know "constructor" too.
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>(
  Object.entries({
    accountDoesNotExist: {
      // The CA no longer knows our account. Run `update-cert` again: a new one is registered.
      code: "ACME_ACCOUNT_REFUSED",
      remedy: "Run update-cert again: a new account is registered when the CA no longer knows the old one.",
    },
    alreadyReplaced: {
      // The CA has seen a renewal of this certificate already. It is ordered again without naming the old one.
      code: "ACME_ALREADY_REPLACED",
      remedy: "Leave the daemon running: it orders again without naming the certificate that is to be replaced.",
    },
    badCSR: {
      // The CA doesn't take the key or the names. Choose another `CERTBOT_KEY_TYPE`, or correct the names.
      code: "ACME_BAD_CSR",
      remedy:
        "Choose another CERTBOT_KEY_TYPE, and no reused key, if the CA dislikes the key; else correct the names in " +
        "CERTBOT_DOMAIN.",
    },
    badNonce: {
      code: "ACME_BAD_NONCE", // The CA refused our nonces again and again. It is tried again by itself.
      remedy: "Leave the daemon running, it tries again by itself; if it stays, tell whoever runs the CA.",
    },
    badPublicKey: BAD_ACCOUNT_KEY,
    badSignatureAlgorithm: BAD_ACCOUNT_KEY,
    externalAccountRequired: EXTERNAL_ACCOUNT_REQUIRED,
    invalidContact: BAD_CONTACT,
    invalidProfile: {
      code: "ACME_PROFILE_NOT_OFFERED",
      remedy: "Set CERTBOT_PROFILE to a profile that the CA offers for these names, or leave it empty.",
    },
    onionCAARequired: {
      code: "ACME_REJECTED_IDENTIFIER", // The CA signs no certificate for this name.
      remedy: "Take the .onion name out of CERTBOT_DOMAIN, or ask another CA: this one wants its CAA set in the order.",
    },
    orderNotReady: {
      // The CA lost track of an order. It is gone on with, or a new one is placed, by itself.
      code: "ACME_ORDER_NOT_READY",
      remedy: "Leave the daemon running: it goes on by itself; tell whoever runs the CA if it lasts.",
    },
    rateLimited: {
      code: "ACME_RATE_LIMITED",
      remedy: "Leave the daemon running, it tries again later and less often; use the staging CA while testing.",
    },
    rejectedIdentifier: {
      code: "ACME_REJECTED_IDENTIFIER",
      remedy: "Correct CERTBOT_DOMAIN, or ask another CA: this one signs no certificate for that name.",
    },
    serverInternal: {
      code: "ACME_CA_FAILING",
      remedy: "Leave the daemon running, it tries again by itself; look at the CA's status page if it lasts.",
    },
    unauthorized: {
      // The CA says that this account may not do that. Run `update-cert` again; ask the CA if it stays.
      code: "ACME_UNAUTHORIZED",
      remedy:
        "Run update-cert again; if the CA still says so, ask it whether this account may have certificates for these names.",
    },
    unsupportedContact: {
      code: "ACME_BAD_CONTACT", // The CA doesn't take `CERTBOT_EMAIL`. Correct it, or leave it empty.
      remedy: "Set CERTBOT_EMAIL to one plain e-mail address, or leave it empty; then run update-cert.",
    },
    unsupportedIdentifier: {
      code: "ACME_REJECTED_IDENTIFIER",
      remedy: "Take the name out of CERTBOT_DOMAIN, or ask another CA: this one does not sign names of that kind.",
    },
    userActionRequired: {
      code: "ACME_USER_ACTION_REQUIRED", // The CA wants you to do something at the address it names.
      remedy: "Open the address that the CA names and do what it asks there; then run update-cert.",
    },
    // Boulder's older name for invalidContact.
    invalidEmail: BAD_CONTACT,
  }),
);
