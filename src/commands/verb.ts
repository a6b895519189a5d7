import type { OperatorError } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import type { Health, Inspection, KeyChange, RunRequest, RunReport } from "../reconcile/index.ts";
import type { RunOptions } from "../settings/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";

/** What the commands need; `app` wires it, for a daemon's client and for a process of its own alike. */
export type CommandParts = {
  /** There is nothing that a command could do its work with, and why. */
  readonly refusal?: OperatorError | undefined;
  /** What is wrong with the settings: told after whatever a command can do without. */
  readonly settingsProblem?: OperatorError | undefined;
  readonly readOptions: (args: readonly string[]) => RunOptions;
  readonly run: (request: RunRequest, log: Log, client: AbortSignal) => Promise<RunReport>;
  readonly changeAccountKey: (client: AbortSignal) => Promise<KeyChange>;
  readonly busySince: () => Date | undefined;
  readonly inspect: (options: { readonly withTargets: boolean; readonly signal: AbortSignal }) => Promise<Inspection>;
  /** certbot's configuration folder. */
  readonly tree: string;
  readonly daemon?: { health(): Health; nextCheckAt(): Date | undefined } | undefined;
  readonly now: () => Date;
};

/** A command. Each is a file of this folder and a line of `verbs.ts`. */
export type Verb = {
  /** Also the name of its link in PATH. */
  readonly name: string;
  /** What `--help` prints. */
  readonly help: string;
  /** It changes nothing: whoever breaks it off needs no explanation. */
  readonly isReadOnly: boolean;
  /** Nobody but the daemon can answer it, with wrong settings too. */
  readonly isDaemons?: true;
  /** Gives the exit code. Throws OperatorError, which is printed, or the signal's reason. */
  run(parts: CommandParts, words: readonly string[], io: CommandIo): Promise<number>;
};

type JsonVerb = Omit<Verb, "run"> & {
  readonly run: (parts: CommandParts, isJson: boolean, io: CommandIo) => Promise<number>;
};

/** Makes a verb that has `--json` and no other option. */
export function jsonVerb({ run, ...verb }: JsonVerb): Verb {
  return {
    ...verb,
    run: async (parts, words, io) => {
      const unknown = words.find((word) => word !== "--json");
      if (unknown === undefined) return run(parts, words.includes("--json"), io);
      io.err(`${verb.name}: unknown option ${unknown}; only --json is possible\n`);
      return EXIT.usage;
    },
  };
}
