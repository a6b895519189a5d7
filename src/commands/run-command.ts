import { asOperatorError, printable } from "../certificate/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";
import type { CommandParts, Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";
import { failureLines } from "./words.ts";

/** One command as it was typed. */
export type CommandLine = { readonly command: string; readonly args: readonly string[] };

/** Does one command and gives its exit code. A failure is printed with its remedy, and so is what is wrong with the settings; only the signal's reason is thrown. */
export async function runCommand(
  parts: CommandParts,
  { command, args }: CommandLine,
  terminal: CommandIo,
): Promise<number> {
  const io = printing(terminal);
  const verb = VERBS.find(({ name }) => name === command);
  if (verb && args.some((arg) => arg === "--help" || arg === "-h")) {
    io.out(`${verb.help}\n`);
    return EXIT.ok;
  }
  if (parts.refusal && !verb?.isDaemons) {
    io.err(`${failureLines(parts.refusal)}\n`);
    return EXIT.usage;
  }
  if (verb === undefined) {
    const names = VERBS.map(({ name }) => name).join(", ");
    io.err(`cert-sidecar: there is no command ${command}; there are ${names}\n`);
    return EXIT.usage;
  }
  const problem = verb.isDaemons ? undefined : parts.settingsProblem;
  const exitCode = await runVerb(verb, parts, { args, io });
  if (problem === undefined) return exitCode;
  io.err(`${failureLines(problem)}\n`);
  return EXIT.usage;
}

type Call = { readonly args: readonly string[]; readonly io: CommandIo };

async function runVerb(verb: Verb, parts: CommandParts, { args, io }: Call): Promise<number> {
  try {
    return await verb.run(parts, args, io);
  } catch (thrown) {
    io.signal.throwIfAborted();
    if (thrown !== parts.settingsProblem) io.err(`${failureLines(asOperatorError(thrown))}\n`);
    return EXIT.failed;
  }
}

// Much of what is told are the words of CAs and servers, wherever they come from: the one way out is the one place to clean them.
function printing(io: CommandIo): CommandIo {
  return { ...io, out: (text) => io.out(printable(text)), err: (text) => io.err(printable(text)) };
}
