import type { InPlaceOutcome } from "../cli.ts";
import { runCommand, type CommandIo, type CommandParts } from "../commands/index.ts";
import type { ControlHandler, ControlRequest } from "../control/index.ts";
import { acquireLock, LockHeldError } from "../lock/index.ts";
import { changeAccountKey, mendTree, reconcile, type ReconcileParts } from "../reconcile/index.ts";
import { createLog } from "../system/index.ts";
import { buildProgram, findRefusal, readSettings } from "./build.ts";
import { commandParts, type Acts } from "./command-parts.ts";
import { lockOptions, settingSources, type Host } from "./host.ts";

// As a shell gives it for Ctrl-C.
const STOPPED_BY_SIGNAL = 130;

/** Does one command in this process, for the case that no daemon runs: takes the lock where it acts. */
export async function runInPlace(request: ControlRequest, host: Host): Promise<InPlaceOutcome> {
  const config = readSettings(settingSources(host));
  const aborted = new AbortController();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => aborted.abort());
  let isHeld = false;
  let heldWords = "";
  const io: CommandIo = {
    out: (text) => void process.stdout.write(text),
    err: (text) => {
      if (isHeld) heldWords += text;
      else process.stderr.write(text);
    },
    isTty: request.terminal.isTty,
    signal: aborted.signal,
  };
  const done = async (parts: CommandParts): Promise<InPlaceOutcome> => {
    const exitCode = await runCommand(parts, request, io).catch((thrown: unknown) => {
      if (aborted.signal.aborted) return STOPPED_BY_SIGNAL;
      throw thrown;
    });
    return isHeld ? { kind: "held", words: heldWords } : { kind: "done", exitCode };
  };
  const log = await createLog({ level: "error", format: "json", destination: { write: () => undefined } });
  const program = buildProgram(config, { ...host, log });
  const withLock = async <Result>(work: (parts: ReconcileParts, signal: AbortSignal) => Promise<Result>) => {
    const handler: ControlHandler = async (_request, client) => {
      client.err("cert-sidecar: a command is running in place, without the daemon; try again when it has finished\n");
      return Promise.resolve(1);
    };
    const taken = acquireLock({ ...lockOptions(host.paths, log, handler), wait: false }, aborted.signal);
    const lock = await taken.catch((thrown: unknown) => {
      isHeld = thrown instanceof LockHeldError;
      throw thrown;
    });
    try {
      await mendTree(program.parts, log);
      const parts = { ...program.parts, mayAct: () => lock.isHeld() };
      return await work(parts, AbortSignal.any([aborted.signal, lock.lost]));
    } finally {
      await lock.release();
    }
  };
  const refusal = await findRefusal(program);
  const acts: Acts = {
    run: (request, runLog) => withLock((parts, signal) => reconcile(parts, { request, log: runLog, signal })),
    changeAccountKey: () => withLock((parts, signal) => changeAccountKey(parts, { log, signal })),
  };
  return done({ ...commandParts(program, acts), refusal });
}
