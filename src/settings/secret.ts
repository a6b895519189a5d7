const REDACTED = "[redacted]";

/** A value that shows as `[redacted]` wherever it is printed, logged or serialized; only `reveal()` gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  // console.log, util.inspect and assertion messages ask for this symbol.
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
