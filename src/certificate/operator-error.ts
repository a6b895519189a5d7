import type { Identifier } from "./identifier.ts";

/** When a failed step may be tried again: never, at the next run, or not before an instant the other side named, or we have. */
export type RetryRule = "never" | "next-run" | Patience;

type Patience = {
  readonly notBefore: Date;
  readonly scope?: WaitScope | undefined;
  /** Nobody has asked for it: it holds no command up, and nothing once the settings are others. */
  readonly isOurs?: boolean | undefined;
};

/**
 * What a CA's request for patience holds for: all orders of the account (the default), orders with one of these names or a
 * name below them, or orders for exactly this set of names.
 */
export type WaitScope =
  | { readonly kind: "account" }
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "exact-set" };

/**
 * Where a failure came from, which decides whether a probe of the CA is worth more than waiting, and whether another CA may
 * help: `ca-unreachable`: no answer, or none to the unsigned requests that everybody may make; `ca-failing`: it failed in
 * an order; `ca-refused`: it decided against us; `proof`: it could not verify a name; `proxy`: nobody took us
 * to it, which is no CA's fault; `here`: anything else on our side.
 */
export type FailureOrigin = "here" | "proxy" | "proof" | "ca-refused" | "ca-failing" | "ca-unreachable";

/** A failure an operator can act on. Everything thrown past an adapter is one. */
export abstract class OperatorError extends Error {
  /** Stable, e.g. `ACME_RATE_LIMITED`; in docs/errors.md with the doc comment of the class, or the `//` of the row. */
  abstract readonly code: string;
  /** One imperative sentence: what to do, or that waiting is right. */
  abstract readonly remedy: string;
  readonly retry: RetryRule = "next-run";
  readonly origin: FailureOrigin = "here";
  /** The names that the CA tried to verify and could not; CAs count these. */
  readonly unverified: readonly Identifier[] = [];
  override readonly name: string = this.constructor.name;
}

/** What is kept of a failure on disk, in reports and in `--json` output. */
export type Failure = { readonly code: string; readonly message: string; readonly remedy: string };

/** A failure that nothing branches on: all there is to it is what an operator is told, and where it came from. */
export class PlainError extends OperatorError {
  readonly code: string;
  readonly remedy: string;
  override readonly origin: FailureOrigin;
  override readonly retry: RetryRule;

  constructor({ code, message, remedy, origin = "here", retry = "next-run", cause }: PlainFailure) {
    super(message, { cause });
    this.code = code;
    this.remedy = remedy;
    this.origin = origin;
    this.retry = retry;
  }
}

type PlainFailure = Failure & Partial<Pick<OperatorError, "origin" | "retry" | "cause">>;

/** What was thrown, in its own words. */
export function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Makes an OperatorError of anything that was thrown, so that a boundary has one shape to deal with. */
export function asOperatorError(thrown: unknown): OperatorError {
  if (thrown instanceof OperatorError) return thrown;
  return new PlainError({
    code: "UNEXPECTED", // A defect of ours, caught at a boundary. Please report it with the log lines around it.
    message: wordsOf(thrown),
    remedy: "Report this with the log lines around it; the next scheduled check tries again.",
    cause: thrown,
  });
}

/** The part of a failure that is written down. */
export function toFailure(thrown: unknown): Failure {
  const { code, message, remedy } = asOperatorError(thrown);
  return { code, message, remedy };
}
