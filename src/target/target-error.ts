import { OperatorError, type Failure } from "../certificate/index.ts";

/** A failure on the way to a server. Nobody branches on which, so that all have one class, and its code says it. */
export class TargetError extends OperatorError {
  readonly code: string;
  readonly remedy: string;

  constructor({ code, message, remedy }: Failure, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.remedy = remedy;
  }
}
