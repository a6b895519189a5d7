/** Where a command writes, and for whom. */
export type CommandIo = {
  /** Writes to standard output; the caller ends its lines. */
  out(text: string): void;
  /** Writes to standard error; the caller ends its lines. */
  err(text: string): void;
  /** A person reads it: standard output is a terminal. */
  readonly isTty: boolean;
  /** Aborts when the one who asked has gone. */
  readonly signal: AbortSignal;
};

/** Exit codes of all commands: reached or nothing due; a certificate or a deploy failed; usage or settings. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
