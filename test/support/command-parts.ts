import type { CommandParts } from "../../src/commands/index.ts";

const unused = () => {
  throw new Error("not for this command");
};

/** What commands work with: all that a test doesn't give must not be asked for. */
export function commandParts(given: Partial<CommandParts>): CommandParts {
  return {
    readOptions: unused,
    run: unused,
    changeAccountKey: unused,
    busySince: () => undefined,
    inspect: unused,
    tree: "/etc/letsencrypt",
    now: () => new Date("2026-06-01T12:00:05Z"),
    ...given,
  };
}
