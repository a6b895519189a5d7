import type { Health } from "../reconcile/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";

/** `healthcheck`: what Docker's HEALTHCHECK asks. Exit code 1 with the reasons when an operator has to look. */
export function healthcheck(health: Health, io: CommandIo): number {
  io.out(health.isHealthy ? "healthy\n" : `${health.problems.join("\n")}\n`);
  return health.isHealthy ? EXIT.ok : EXIT.failed;
}
