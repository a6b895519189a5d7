import type { Log } from "../ports/index.ts";
import { DockerRequestError } from "./docker/engine-errors.ts";
import type { Engine } from "./docker/engine.ts";
import { commandWords } from "./docker/exec.ts";
import { commandKilled, targetNotRunning } from "./errors.ts";
import type { Spot, TargetTools } from "./kind.ts";
import { createTlsCheck, type TlsCheckParts } from "./tls/tls-check.ts";

/** What the tools are made of. */
export type ToolParts = TlsCheckParts & { readonly engine: Engine; readonly log?: Log };

// A shell's way to say that a signal ended a command: 137 is SIGKILL. What is above them all is a program's own word, like 255.
const KILLED_ABOVE = 128;
const LAST_SIGNAL = 64;

/** Makes the tools of all kinds of target. */
export function createTargetTools({ engine, log, ...tls }: ToolParts): TargetTools {
  const check = createTlsCheck(tls);
  return {
    clock: tls.clock,
    log,
    kept: new Map(),
    exec: async (where, argv, signal) => {
      const { name, service, container, user } = where;
      const { id } = container;
      const result = await whileRunning(where, engine.exec({ id, name: container.name, user }, argv, signal));
      const { exitCode } = result;
      // A stop kills the command with the container, some time before the engine says that it has stopped.
      if (isKilled(exitCode)) throw commandKilled(where, argv, exitCode);
      if (exitCode === 0 || (await engine.inspect(id, signal))?.status === "running") return result;
      throw targetNotRunning(service, [`${name} stopped while "${commandWords(argv)}" ran in it`]);
    },
    look: async ({ name, service, container: { id } }, signal) => {
      const now = await engine.inspect(id, signal);
      if (now?.status === "running") return now;
      throw targetNotRunning(service, [`${name} is ${now?.status ?? "not there any more"}`]);
    },
    kill: (spot, name, signal) => whileRunning(spot, engine.kill(spot.container, name, signal)),
    restart: (spot, signal) => whileRunning(spot, engine.restart(spot.container, signal)),
    unpack: ({ container }, archive, signal) => engine.unpack(container, archive, signal),
    readFile: ({ container }, path, signal) => engine.readFile(container, path, signal),
    tlsCheck: (place, asked, signal) => check({ place, ...asked }, signal),
  };
}

async function whileRunning<T>({ name, service }: Spot, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (thrown) {
    const isGone = thrown instanceof DockerRequestError && (thrown.status === 404 || thrown.status === 409);
    if (!isGone) throw thrown;
    throw targetNotRunning(service, [`${name} is not running any more`], { cause: thrown });
  }
}

function isKilled(exitCode: number | undefined): exitCode is number {
  return exitCode !== undefined && exitCode > KILLED_ABOVE && exitCode <= KILLED_ABOVE + LAST_SIGNAL;
}
