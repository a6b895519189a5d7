import { EXIT } from "./command-io.ts";
import type { Verb } from "./verb.ts";

/** What Docker's HEALTHCHECK asks. Exit code 1 with the reasons when an operator has to look. */
export const healthcheck: Verb = {
  name: "healthcheck",
  help: `Usage: healthcheck
What Docker's HEALTHCHECK asks the daemon. Exit code 1 with the reasons when an operator has to look.`,
  isReadOnly: true,
  isDaemons: true,
  run: async ({ daemon }, _words, io) => {
    const { isHealthy, problems } = daemon?.health() ?? { isHealthy: false, problems: ["no daemon runs"] };
    io.out(isHealthy ? "healthy\n" : `${problems.join("\n")}\n`);
    return isHealthy ? EXIT.ok : EXIT.failed;
  },
};
