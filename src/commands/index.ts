export { banner } from "./banner.ts";
export type { ShownFolder } from "./banner.ts";
export { EXIT } from "./command-io.ts";
export type { CommandIo } from "./command-io.ts";
export { runCommand } from "./run-command.ts";
export type { CommandLine, CommandParts } from "./run-command.ts";
export type { UpdateOptions } from "./update-cert.ts";
export { failureLines } from "./words.ts";
