const MINUTE = 60_000;

/** How much of something a CA gives at once, and how soon it gives one more. */
type Capacity = { readonly most: number; readonly refillMs: number };

/** What a CA counts, per account, per name or per set of names. */
export type LimitName = "orders" | "exact-set" | "failed-validations";

// https://letsencrypt.org/docs/rate-limits/, written down here on its own: what the product believes is what is tested.
const PRODUCTION: Record<LimitName, Capacity> = {
  orders: { most: 300, refillMs: 36_000 },
  "exact-set": { most: 5, refillMs: 2016 * MINUTE },
  "failed-validations": { most: 5, refillMs: 12 * MINUTE },
};

const STAGING: Record<LimitName, Capacity> = {
  orders: { most: 1500, refillMs: 7200 },
  "exact-set": { most: 30_000, refillMs: 20_160 },
  "failed-validations": { most: 200, refillMs: 18_000 },
};

/** The buckets of tokens of one CA. A clock that goes on is given to each call. */
export class CaLimits {
  readonly #capacities: Record<LimitName, Capacity>;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(kind: "production" | "staging") {
    this.#capacities = kind === "production" ? PRODUCTION : STAGING;
  }

  /** When a token is there again; undefined: there is one. */
  emptyUntil(limit: LimitName, key: string, nowMs: number): number | undefined {
    const { tokens } = this.#bucket(limit, key, nowMs);
    return tokens >= 1 - 1e-9 ? undefined : Math.ceil(nowMs + (1 - tokens) * this.#capacities[limit].refillMs);
  }

  /** Takes a token, whether there is one or not; a bucket is never less than empty. */
  take(limit: LimitName, key: string, nowMs: number): void {
    const bucket = this.#bucket(limit, key, nowMs);
    bucket.tokens = Math.max(0, bucket.tokens - 1);
  }

  #bucket(limit: LimitName, key: string, nowMs: number): { tokens: number; at: number } {
    const { most, refillMs } = this.#capacities[limit];
    const name = `${limit} ${key}`;
    const bucket = this.#buckets.get(name) ?? { tokens: most, at: nowMs };
    bucket.tokens = Math.min(most, bucket.tokens + (nowMs - bucket.at) / refillMs);
    bucket.at = nowMs;
    this.#buckets.set(name, bucket);
    return bucket;
  }
}

/** A refusal in the words of Let's Encrypt, which some clients read. */
export function limitWords(limit: LimitName, key: string, until: Date): string {
  const after = `retry after ${until.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const page = "see https://letsencrypt.org/docs/rate-limits/";
  switch (limit) {
    case "orders":
      return `too many new orders (300) from this account in the last 3h0m0s, ${after}: ${page}#new-orders-per-account`;
    case "exact-set":
      return `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, ${after}: ${page}#new-certificates-per-exact-set-of-identifiers`;
    case "failed-validations":
      return `too many failed authorizations (5) for "${key}" in the last 1h0m0s, ${after}: ${page}#authorization-failures-per-identifier-per-account`;
  }
}
