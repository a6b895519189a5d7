import {
  exactSetKey,
  identifierKey,
  type CaLimits,
  type Identifier,
  type Limit,
} from "../../../src/certificate/index.ts";

/** How a CA keeps one limit: tokens, counted here in milliseconds of refill. It refuses without counting. */
class TokenBucket {
  #creditMs: number;
  #asOfMs = Number.NEGATIVE_INFINITY;
  readonly #limit: Limit;

  constructor(limit: Limit) {
    this.#limit = limit;
    this.#creditMs = limit.most * limit.refillMs;
  }

  hasToken(now: Date): boolean {
    const grownMs = this.#creditMs + (now.getTime() - this.#asOfMs);
    return Math.min(grownMs, this.#limit.most * this.#limit.refillMs) >= this.#limit.refillMs;
  }

  spend(now: Date): boolean {
    if (!this.hasToken(now)) return false;
    const grownMs = this.#creditMs + (now.getTime() - this.#asOfMs);
    this.#creditMs = Math.min(grownMs, this.#limit.most * this.#limit.refillMs) - this.#limit.refillMs;
    this.#asOfMs = now.getTime();
    return true;
  }
}

/** A CA with limits: one bucket for all orders, one for each set of names, one for each name. Knows nothing of our budget. */
export class LimitedCa {
  readonly #limits: CaLimits;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(limits: CaLimits) {
    this.#limits = limits;
  }

  takes(identifiers: readonly Identifier[], now: Date): boolean {
    return this.#each(identifiers).every((bucket) => bucket.hasToken(now));
  }

  order(now: Date): void {
    this.#bucket("orders", this.#limits.orders).spend(now);
  }

  issue(identifiers: readonly Identifier[], now: Date): void {
    this.#bucket(exactSetKey(identifiers), this.#limits.exactSet).spend(now);
  }

  fail(identifier: Identifier, now: Date): void {
    this.#bucket(`failed ${identifierKey(identifier)}`, this.#limits.failedValidations).spend(now);
  }

  #each(identifiers: readonly Identifier[]): TokenBucket[] {
    const failed = identifiers.map((one) =>
      this.#bucket(`failed ${identifierKey(one)}`, this.#limits.failedValidations),
    );
    const set = this.#bucket(exactSetKey(identifiers), this.#limits.exactSet);
    return [this.#bucket("orders", this.#limits.orders), set, ...failed];
  }

  #bucket(name: string, limit: Limit): TokenBucket {
    const bucket = this.#buckets.get(name) ?? new TokenBucket(limit);
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
