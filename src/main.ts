import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { OperatorError, toFailure } from "./certificate/index.ts";
import type { InPlaceOutcome } from "./cli.ts";
import { banner, runCommand, type CommandIo, type CommandParts } from "./commands/index.ts";
import { DEFAULT_WEBROOT_PATH, describeSettings, mergeCommandOptions, redactWords } from "./settings/index.ts";
import type { Config, ConfigSources } from "./settings/index.ts";
import { createControlServer, DaemonStoppingError, type ControlHandler, type ControlRequest } from "./control/index.ts";
import { acquireLock, LockHeldError } from "./lock/index.ts";
import { teeLog, type Log } from "./ports/index.ts";
import { daemonPaths, lockFolder, type Paths } from "./paths.ts";
import { buildProgram, missingDomain, readSettings, type Program, type Reading } from "./program.ts";
import { assessHealth, changeAccountKey, createLoop, inspect, mendTree, reconcile } from "./reconcile/index.ts";
import type { Health, Loop, LoopFacts, ReconcileParts, Run } from "./reconcile/index.ts";
import { ignoreOtherSignals } from "./signals.ts";
import {
  createLog,
  createSchedule,
  createSlowScheduleWarning,
  drawSchedule,
  isCronExpression,
  systemClock,
} from "./system/index.ts";

const VERSION = process.env.CERT_SIDECAR_VERSION ?? "dev";
// Docker waits ten seconds before it kills; a person at a terminal doesn't want to.
const STOP_WITHIN_MS = 1500;
// As a shell gives it for Ctrl-C.
const STOPPED_BY_SIGNAL = 130;
const LOCK_RETRY_MS = 30_000;

/**
 * The daemon: reads the settings once, takes the lock, and keeps reconciling until SIGTERM or SIGINT. With wrong settings it
 * stays up, places no order, and says what is wrong to whoever asks. Gives the exit code.
 */
export async function runDaemon(paths: Paths): Promise<number> {
  ignoreOtherSignals();
  const stopping = new AbortController();
  const reading = readSettings(settingSources());
  const log = await openLog("config" in reading ? reading.config : undefined);
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      log.info("signal.received", { signal: name });
      stopping.abort(new DaemonStoppingError());
      setTimeout(() => process.exit(0), STOP_WITHIN_MS).unref();
    });
  }
  // The loop listens too. Without it, waiting for the lock or with wrong settings, the signal must not end the daemon.
  process.on("SIGHUP", () => log.info("signal.received", { signal: "SIGHUP" }));
  const start = { paths, log, reading };
  tellStart(start);
  while (!stopping.signal.aborted) {
    await holdLock(start, stopping.signal).catch(async (thrown: unknown) => {
      if (stopping.signal.aborted) return;
      log.error("lock.denied", toFailure(thrown));
      await systemClock.sleep(LOCK_RETRY_MS, stopping.signal).catch(() => undefined);
    });
  }
  log.info("daemon.stopped");
  return 0;
}

/** Does one command in this process, for the case that no daemon runs: takes the lock where it acts. */
export async function runInPlace(request: ControlRequest, paths: Paths): Promise<InPlaceOutcome> {
  const reading = readSettings(settingSources());
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
  if ("refusal" in reading) return done(refusedParts(reading.refusal));
  const log = await createLog({ level: "error", format: "json", destination: { write: () => undefined } });
  const program = buildProgram(reading.config, { paths, log, version: VERSION, environment: process.env });
  if (program instanceof OperatorError) return done(refusedParts(program));
  const withLock = async <Result>(work: (parts: ReconcileParts, signal: AbortSignal) => Promise<Result>) => {
    const handler: ControlHandler = async (_request, client) => {
      client.err("cert-sidecar: a command is running in place, without the daemon; try again when it has finished\n");
      return Promise.resolve(1);
    };
    const taken = acquireLock({ ...lockOptions(paths, log, handler), wait: false }, aborted.signal);
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
  const refusal = await missingDomain(program);
  const acts: Acts = {
    run: (mode, runLog) => withLock((parts, signal) => reconcile(parts, { mode, log: runLog, signal })),
    changeAccountKey: () => withLock((parts, signal) => changeAccountKey(parts, { log, signal })),
  };
  return done({ ...commandParts(program, acts), refusal });
}

type Start = { readonly paths: Paths; readonly log: Log; readonly reading: Reading };

/** One tenure of the lock: from winning it until the daemon stops or the lock is lost. */
async function holdLock({ paths, log, reading }: Start, stopping: AbortSignal): Promise<void> {
  // Who asks while we are still looking at the tree waits for what comes of it.
  const ready = Promise.withResolvers<CommandParts>();
  ready.promise.catch(() => undefined);
  const handler: ControlHandler = async (request, client) => {
    const { command, args, terminal } = request;
    log.debug("command.received", { command, args: redactWords(args) });
    const exitCode = await runCommand(await ready.promise, request, { ...client, isTty: terminal.isTty });
    log.debug("command.finished", { command, exitCode });
    return exitCode;
  };
  const lock = await acquireLock({ ...lockOptions(paths, log, handler), wait: true }, stopping);
  try {
    const signal = AbortSignal.any([stopping, lock.lost]);
    const refuse = (refusal: OperatorError) => {
      ready.resolve(refusedParts(refusal));
      return untilAborted(signal);
    };
    if ("refusal" in reading) return await refuse(reading.refusal);
    const program = buildProgram(reading.config, { paths, log, version: VERSION, environment: process.env });
    if (program instanceof OperatorError) {
      log.error("settings.refused", toFailure(program));
      return await refuse(program);
    }
    await mendTree(program.parts, log);
    const missing = await missingDomain(program);
    if (missing) {
      log.error("settings.refused", toFailure(missing));
      return await refuse(missing);
    }
    await serve(program, { log, signal, mayAct: () => lock.isHeld(), use: ready.resolve });
  } catch (thrown) {
    ready.reject(thrown);
    throw thrown;
  } finally {
    await lock.release();
  }
}

type Serving = {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly mayAct: () => Promise<boolean>;
  readonly use: (parts: CommandParts) => void;
};

/** The loop and everything that asks it for runs, until the signal aborts. */
async function serve(program: Program, { log, signal, mayAct, use }: Serving): Promise<void> {
  const parts = { ...program.parts, mayAct };
  const chosen = program.config.schedule;
  const schedule = createSchedule(
    chosen ?? drawSchedule(() => program.draw),
    { random: Math.random, timezone: process.env["TZ"], log },
    () => Promise.resolve(loop.request("schedule")),
  );
  const warnOfSlowSchedule = chosen === undefined ? () => undefined : createSlowScheduleWarning(schedule, log);
  const reconcileAndLook = async (run: Run) => {
    const report = await reconcile(parts, run);
    warnOfSlowSchedule(report);
    return report;
  };
  const loop = createLoop({ reconcile: reconcileAndLook, clock: systemClock, log, signal });
  use({
    ...commandParts(program, {
      run: (mode, runLog, client) => loop.command(mode, teeLog(log, runLog), client),
      changeAccountKey: (client) => loop.exclusive((stop) => changeAccountKey(parts, { log, signal: stop }), client),
    }),
    busySince: () => loop.facts().runningSince,
    daemon: daemonFacts(loop, () => schedule.nextRunAt()),
  });
  const onHangUp = () => loop.request("signal");
  process.on("SIGHUP", onHangUp);
  const watching = program.deployment.watchStarts(() => loop.request("target-started"), signal);
  loop.request("start");
  await loop.ended();
  process.off("SIGHUP", onHangUp);
  schedule.stop();
  await watching;
}

function daemonFacts(loop: Loop, nextScheduledAt: () => Date | undefined) {
  const facts = (): LoopFacts => loop.facts();
  return {
    health: (): Health => assessHealth({ now: systemClock.now(), loop: facts() }),
    loop: facts,
    nextCheckAt: () => {
      const { wakeAt } = facts();
      const scheduledAt = nextScheduledAt();
      return wakeAt && (!scheduledAt || wakeAt < scheduledAt) ? wakeAt : scheduledAt;
    },
  };
}

/** What commands can have done, each at a time when nothing else is. */
type Acts = Pick<CommandParts, "run" | "changeAccountKey">;

function commandParts({ config, parts, paths }: Program, acts: Acts): CommandParts {
  return {
    readOptions: (args) => mergeCommandOptions(config, args),
    ...acts,
    inspect: (options) => inspect(parts, options),
    tree: paths.tree,
    busySince: () => undefined,
    now: () => systemClock.now(),
  };
}

function refusedParts(refusal: OperatorError): CommandParts {
  const refuse = () => Promise.reject(refusal);
  const problems = refusal.message.split("\n");
  const daemon = { health: () => ({ isHealthy: false, problems }), loop: () => ({}), nextCheckAt: () => undefined };
  const readOptions = () => {
    throw refusal;
  };
  const busySince = () => undefined;
  const acts: Acts = { run: refuse, changeAccountKey: refuse };
  return { refusal, readOptions, ...acts, busySince, inspect: refuse, tree: "", daemon, now: () => systemClock.now() };
}

function settingSources(): ConfigSources {
  return {
    environment: process.env,
    dotenvText: readIfThere(".env"),
    readFile: (path) => readFileSync(path, "utf8"),
    isCronExpression: (text) => isCronExpression(text, process.env["TZ"]),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function openLog(config: Config | undefined): Promise<Log> {
  const asked = config?.logFormat ?? "auto";
  const format = asked === "auto" ? (process.stdout.isTTY ? "pretty" : "json") : asked;
  return createLog({ level: config?.logLevel ?? "info", format, destination: 1, color: process.stdout.isTTY });
}

function tellStart({ paths: { tree, logs }, log, reading }: Start): void {
  const isJsonOnly = "config" in reading && reading.config.logFormat === "json";
  const folders = [tree, DEFAULT_WEBROOT_PATH, logs].map(showFolder);
  if (!isJsonOnly) process.stdout.write(banner(VERSION, describeSettings(settingSources()), folders));
  log.info("daemon.started", { version: VERSION });
  if ("refusal" in reading) log.error("settings.refused", toFailure(reading.refusal));
  else
    for (const { setting, message, remedy } of reading.config.warnings)
      log.warn("option.ignored", { option: setting, because: message, remedy });
}

function showFolder(path: string) {
  try {
    return { path, entries: readdirSync(path).sort() };
  } catch {
    return { path, entries: undefined };
  }
}

function lockOptions(paths: Paths, log: Log, handler: ControlHandler) {
  return {
    folder: lockFolder(paths),
    runFolder: paths.run,
    description: `the sidecar in container ${hostname()}`,
    serve: (identify: () => object) => createControlServer(handler, identify),
    clock: systemClock,
    log,
    random: Math.random,
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

if (import.meta.main) {
  const paths = daemonPaths(process.argv.slice(2));
  if (!paths) process.stderr.write("Usage: main [--config-dir FOLDER] [--work-dir FOLDER] [--logs-dir FOLDER]\n");
  process.exit(paths ? await runDaemon(paths) : 2);
}
