/** When a failed step may be tried again: never, at the next run, or not before an instant the other side named. */
export type RetryRule = "never" | "next-run" | { readonly notBefore: Date };

/** A failure an operator can act on. Everything thrown past an adapter is one. */
export abstract class OperatorError extends Error {
  /** Stable, listed in docs/errors.md, e.g. `ACME_RATE_LIMITED`. */
  abstract readonly code: string;
  /** One imperative sentence: what to do, or that waiting is right. */
  abstract readonly remedy: string;
  readonly retry: RetryRule = "next-run";
  override readonly name: string = this.constructor.name;
}

/** What is kept of a failure on disk, in reports and in `--json` output. */
export type Failure = { readonly code: string; readonly message: string; readonly remedy: string };

/** Thrown by nobody: what a defect of ours looks like to the operator once it has been caught at a boundary. */
export class UnexpectedError extends OperatorError {
  readonly code = "UNEXPECTED";
  readonly remedy = "Report this with the log lines around it; the next scheduled check tries again.";

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Makes an OperatorError of anything that was thrown, so that a boundary has one shape to deal with. */
export function asOperatorError(thrown: unknown): OperatorError {
  return thrown instanceof OperatorError ? thrown : new UnexpectedError(thrown);
}

/** The part of a failure that is written down. */
export function toFailure(thrown: unknown): Failure {
  const { code, message, remedy } = asOperatorError(thrown);
  return { code, message, remedy };
}
