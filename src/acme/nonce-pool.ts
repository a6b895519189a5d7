// A CA remembers nonces for long, but not for ever. More than a burst of parallel requests needs is never used.
const MOST_KEPT = 32;

/**
 * Nonces that a CA has handed out with its replies and nobody has used (RFC 8555 §6.5). Age doesn't count: an old
 * nonce costs one refused request, the same as asking newNonce for a fresh one, and mostly it costs nothing.
 */
export class NoncePool {
  readonly #unused: string[] = [];

  /** The youngest nonce, which is then no longer in the pool; undefined when it is empty. */
  take(): string | undefined {
    return this.#unused.pop();
  }

  /** Keeps a nonce that is not going to be used at once. */
  put(nonce: string): void {
    this.#unused.push(nonce);
    if (this.#unused.length > MOST_KEPT) this.#unused.shift();
  }

  /** Forgets all: one of them was refused, and its neighbours came from the same CA that has forgotten it. */
  clear(): void {
    this.#unused.length = 0;
  }
}
