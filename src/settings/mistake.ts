import { redactUrl } from "./redact.ts";

/** One thing wrong with what the operator typed, for people and for `--json`. */
export type Mistake = {
  /** The setting's name, or the setting and the option in it: `CERTBOT_OPTIONS --server`. */
  readonly setting: string;
  /** What was typed; absent where it is empty, or could be a secret. */
  readonly value?: string | undefined;
  /** What is wrong, in words that follow `NAME="value": `. */
  readonly problem: string;
  /** What would be right, where that can be said in general. */
  readonly allowed?: string | undefined;
};

/** Thrown by the parser of one value; {@link MistakeList} makes a mistake of it, so it never leaves this folder. */
export class ValueProblem extends Error {
  readonly allowed: string | undefined;

  constructor(problem: string, allowed?: string) {
    super(problem);
    this.allowed = allowed;
  }
}

/** Gathers every mistake of one reading, since an operator wants to mend them all at once. */
export class MistakeList {
  /** The mistakes so far, in the order they were found. */
  readonly all: Mistake[] = [];
  /** Whether one of them leaves in doubt how certificates are to be ordered, whichever. */
  areOrdersInDoubt = false;
  #isAside = false;

  add(mistake: Mistake): void {
    this.all.push(mistake);
    this.areOrdersInDoubt ||= !this.#isAside;
  }

  /** Reads something whose mistakes hold up nothing but itself. */
  aside<T>(read: () => T): { readonly found: T; readonly isRight: boolean } {
    const [count, wasAside] = [this.all.length, this.#isAside];
    this.#isAside = true;
    const found = read();
    this.#isAside = wasAside;
    return { found, isRight: this.all.length === count };
  }

  /** Parses `text`. Gives undefined for an absent text, and for a {@link ValueProblem}, which is kept as a mistake. */
  attempt<T>(setting: string, text: string | undefined, parse: (text: string) => T): T | undefined {
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (thrown) {
      if (!(thrown instanceof ValueProblem)) throw thrown;
      this.add({ setting, value: redactUrl(text), problem: thrown.message, allowed: thrown.allowed });
      return undefined;
    }
  }
}

// A pasted certificate or a whole file is no help in an error message.
const SHOWN_CHARACTERS = 120;

/** One mistake as one line: `CERTBOT_KEY_TYPE="dsa": is not a key type; allowed: ecdsa-p256, rsa-2048`. */
export function formatMistake({ setting, value, problem, allowed }: Mistake): string {
  const shown = value === undefined ? "" : `=${JSON.stringify(shorten(value))}`;
  return `${setting}${shown}: ${problem}${allowed === undefined ? "" : `; allowed: ${allowed}`}`;
}

function shorten(value: string): string {
  return value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value;
}
