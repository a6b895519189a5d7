import { DockerRequestError } from "./docker/engine-errors.ts";
import type { Engine } from "./docker/engine.ts";
import { commandWords } from "./docker/exec.ts";
import { commandKilled, targetNotRunning } from "./errors.ts";
import type { TargetTools } from "./kind.ts";
import { createTlsCheck, type TlsCheckParts } from "./tls/tls-check.ts";

/** What the tools are made of. */
export type ToolParts = TlsCheckParts & { readonly engine: Engine };

// A shell's way to say that a signal ended a command: 137 is SIGKILL.
const KILLED_ABOVE = 128;

/** Makes the tools of all kinds of target. */
export function createTargetTools({ engine, ...tls }: ToolParts): TargetTools {
  const check = createTlsCheck(tls);
  return {
    clock: tls.clock,
    exec: async (place, argv, signal) => {
      const { name, service, container } = place;
      try {
        const result = await engine.exec(container, argv, signal);
        const { exitCode } = result;
        // A stop kills the command with the container, some time before the engine says that it has stopped.
        if (exitCode !== undefined && exitCode > KILLED_ABOVE) throw commandKilled(place, argv, exitCode);
        if (exitCode === 0 || (await engine.inspect(container.id, signal))?.status === "running") return result;
      } catch (thrown) {
        const isGone = thrown instanceof DockerRequestError && (thrown.status === 404 || thrown.status === 409);
        if (!isGone) throw thrown;
        throw targetNotRunning(service, [`${name} is not running any more`], { cause: thrown });
      }
      throw targetNotRunning(service, [`${name} stopped while "${commandWords(argv)}" ran in it`]);
    },
    tlsCheck: (place, asked, signal) => check({ place, ...asked }, signal),
  };
}
