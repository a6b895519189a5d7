const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A limit as CAs keep it: at most `most` at once, and one more each `refillMs` (a token bucket). */
export type Limit = { readonly most: number; readonly refillMs: number; readonly words: string };

/** The limits that we count against; each as the CA's own page has it. */
export type CaLimits = {
  /** Orders of one account. */
  readonly orders: Limit;
  /** Certificates for exactly the same set of names, whoever asks. */
  readonly exactSet: Limit;
  /** Failed validations of one name by one account. */
  readonly failedValidations: Limit;
};

// https://letsencrypt.org/docs/rate-limits/, as of 2026-08-05.
const LETS_ENCRYPT: CaLimits = {
  orders: { most: 300, refillMs: (3 * HOUR_MS) / 300, words: "300 orders of an account in 3 hours" },
  exactSet: { most: 5, refillMs: (7 * DAY_MS) / 5, words: "5 certificates for the same names in 7 days" },
  failedValidations: { most: 5, refillMs: HOUR_MS / 5, words: "5 failed validations of a name in an hour" },
};

// https://letsencrypt.org/docs/staging-environment/, as of 2026-08-05.
const LETS_ENCRYPT_STAGING: CaLimits = {
  orders: { most: 1500, refillMs: (3 * HOUR_MS) / 1500, words: "1500 orders of an account in 3 hours" },
  exactSet: { most: 30_000, refillMs: (7 * DAY_MS) / 30_000, words: "30000 certificates for the same names in 7 days" },
  failedValidations: { most: 200, refillMs: HOUR_MS / 200, words: "200 failed validations of a name in an hour" },
};

const LIMITS = new Map([
  ["https://acme-v02.api.letsencrypt.org/directory", LETS_ENCRYPT],
  ["https://acme-staging-v02.api.letsencrypt.org/directory", LETS_ENCRYPT_STAGING],
]);

/** The documented limits of the CA with this directory; undefined for one whose limits we don't know. */
export function limitsOf(directoryUrl: string): CaLimits | undefined {
  return LIMITS.get(canonicalUrl(directoryUrl));
}

/** One spelling for one CA: the conf of a tree that was taken over has the URL as somebody typed it. What is no URL stays as it is. */
export function canonicalUrl(directoryUrl: string): string {
  return URL.parse(directoryUrl)?.href ?? directoryUrl;
}
