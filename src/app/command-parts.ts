import type { OperatorError } from "../certificate/index.ts";
import type { CommandParts } from "../commands/index.ts";
import { inspect } from "../reconcile/index.ts";
import { mergeCommandOptions } from "../settings/index.ts";
import { systemClock } from "../system/index.ts";
import type { Program } from "./build.ts";

/** What commands can have done, each at a time when nothing else is. */
export type Acts = Pick<CommandParts, "run" | "changeAccountKey">;

/** What commands work with. */
export function commandParts({ config, parts, paths }: Program, acts: Acts): CommandParts {
  return {
    settingsProblem: parts.policy.settingsProblem,
    readOptions: (args) => mergeCommandOptions(config, args),
    ...acts,
    inspect: (options) => inspect(parts, options),
    tree: paths.tree,
    busySince: () => undefined,
    now: () => systemClock.now(),
  };
}

/** What they work with when nothing can be done but to say why. */
export function refusedParts(refusal: OperatorError): CommandParts {
  const refuse = () => Promise.reject(refusal);
  const problems = refusal.message.split("\n");
  const daemon = { health: () => ({ isHealthy: false, problems }), nextCheckAt: () => undefined };
  const readOptions = () => {
    throw refusal;
  };
  const acts = { run: refuse, changeAccountKey: refuse, inspect: refuse, busySince: () => undefined };
  return { refusal, readOptions, ...acts, tree: "", daemon, now: () => systemClock.now() };
}
