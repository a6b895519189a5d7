/** A program to be run on this machine, without a shell. */
export type LocalCommand = {
  /** The program, by its path or found in `env.PATH`, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** All of its environment: nothing of ours is inherited. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What it reads; nothing when left out. */
  readonly stdin?: string | undefined;
  readonly cwd?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** It is killed then, with all that it has started and left in its process group. */
  readonly timeoutMs: number;
  /** What it prints beyond that is dropped, of each of the two streams. */
  readonly longestOutputBytes: number;
};

/** How a program ended: by an exit code, or by a signal. */
export type LocalResult = {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly isTimedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs a program to its end. Rejects when it can't be started, and with the signal's reason once that aborts and it is killed. */
export type RunLocal = (command: LocalCommand, signal: AbortSignal) => Promise<LocalResult>;
