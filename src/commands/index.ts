export { banner } from "./banner.ts";
export type { CommandIo } from "./command-io.ts";
export { runCommand } from "./run-command.ts";
export type { CommandParts } from "./verb.ts";
export { VERBS } from "./verbs.ts";
