import { asOperatorError, type OperatorError, printable } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import type { Health, Inspection, KeyChange, LoopFacts, RunMode, RunReport } from "../reconcile/index.ts";
import { certificates } from "./certificates.ts";
import { EXIT, type CommandIo } from "./command-io.ts";
import { healthcheck } from "./healthcheck.ts";
import { printHelp } from "./help.ts";
import { rotateAccountKey } from "./rotate-account-key.ts";
import { status } from "./status.ts";
import { updateCert, type UpdateOptions } from "./update-cert.ts";
import { failureLines } from "./words.ts";

/** What the commands need; `main.ts` wires it, for a daemon's client and for a process of its own alike. */
export type CommandParts = {
  /** The settings are wrong: no command can do its work. */
  readonly refusal?: OperatorError | undefined;
  readonly readOptions: (args: readonly string[]) => UpdateOptions;
  readonly run: (mode: RunMode, log: Log, client: AbortSignal) => Promise<RunReport>;
  readonly changeAccountKey: (client: AbortSignal) => Promise<KeyChange>;
  readonly busySince: () => Date | undefined;
  readonly inspect: (options: { readonly withTargets: boolean; readonly signal: AbortSignal }) => Promise<Inspection>;
  /** certbot's configuration folder. */
  readonly tree: string;
  readonly daemon?: { health(): Health; loop(): LoopFacts; nextCheckAt(): Date | undefined } | undefined;
  readonly now: () => Date;
};

/** One command as it was typed. */
export type CommandLine = { readonly command: string; readonly args: readonly string[] };

const VERBS = ["update-cert", "certificates", "status", "rotate-account-key", "healthcheck"] as const;

/** Does one command and gives its exit code. A failure is printed with its remedy; only the signal's reason is thrown. */
export async function runCommand(
  parts: CommandParts,
  { command, args }: CommandLine,
  terminal: CommandIo,
): Promise<number> {
  const io = printing(terminal);
  if (printHelp(command, args, io)) return EXIT.ok;
  try {
    if (parts.refusal && command !== "healthcheck") {
      io.err(`${failureLines(parts.refusal)}\n`);
      return EXIT.usage;
    }
    return await dispatch(parts, { command, args }, io);
  } catch (thrown) {
    io.signal.throwIfAborted();
    io.err(`${failureLines(asOperatorError(thrown))}\n`);
    return EXIT.failed;
  }
}

// Much of what is told are the words of CAs and servers, wherever they come from: the one way out is the one place to look.
function printing(io: CommandIo): CommandIo {
  return { ...io, out: (text) => io.out(printable(text)), err: (text) => io.err(printable(text)) };
}

function dispatch(parts: CommandParts, { command, args }: CommandLine, io: CommandIo): Promise<number> {
  switch (command) {
    case "update-cert":
      return updateCert(parts, args, io);
    case "certificates":
      return certificates(parts, args, io);
    case "status":
      return status(parts, args, io);
    case "rotate-account-key":
      return rotateAccountKey(parts, args, io);
    case "healthcheck":
      return Promise.resolve(
        healthcheck(parts.daemon?.health() ?? { isHealthy: false, problems: ["no daemon runs"] }, io),
      );
    default:
      io.err(`cert-sidecar: there is no command ${command}; there are ${VERBS.join(", ")}\n`);
      return Promise.resolve(EXIT.usage);
  }
}
