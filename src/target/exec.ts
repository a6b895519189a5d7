import { splitWords, UnterminatedQuoteError } from "../certificate/index.ts";
import { commandFailed, labelInvalid } from "./errors.ts";
import type { TargetKind } from "./kind.ts";
import { DEPLOY } from "./labels.ts";
import { toldTarget } from "./told-target.ts";

/** Anything that a command of its own tells: words as in a shell, but run without one. */
export const exec = {
  name: "exec",
  argument: "COMMAND",
  make: (spot, argument, tools) => {
    const argv = readCommand(spot.name, argument);
    return toldTarget(spot, tools, async (_, signal) => {
      const result = await tools.exec(spot, argv, signal);
      if (result.exitCode !== 0) throw commandFailed(spot, argv, result);
    });
  },
} satisfies TargetKind;

function readCommand(target: string, text: string): readonly string[] {
  const wrong = (allowed: string) => labelInvalid(target, { label: DEPLOY, value: `exec:${text}`, allowed });
  try {
    const argv = splitWords(text);
    if (argv[0]) return argv;
  } catch (thrown) {
    if (!(thrown instanceof UnterminatedQuoteError)) throw thrown;
    throw wrong(`exec:COMMAND (it ${thrown.message})`);
  }
  throw wrong("exec:COMMAND with a program's name");
}
