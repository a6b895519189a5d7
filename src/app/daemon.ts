import { readdirSync } from "node:fs";
import { toFailure } from "../certificate/index.ts";
import { DEFAULT_WEBROOT_PATH } from "../challenge/index.ts";
import { banner, runCommand, type CommandParts } from "../commands/index.ts";
import { DaemonStoppingError, type ControlHandler } from "../control/index.ts";
import { acquireLock } from "../lock/index.ts";
import { openChannels } from "../notify/index.ts";
import { teeLog, type Log } from "../ports/index.ts";
import { assessHealth, changeAccountKey, createLoop, mendTree, reconcile, type Loop } from "../reconcile/index.ts";
import { describeSettings, redactWords, settingsWith, type Config } from "../settings/index.ts";
import { createLog, createSchedule, createSlowScheduleWarning, drawSchedule, systemClock } from "../system/index.ts";
import { buildProgram, findRefusal, KINDS, problemOf, readSettings, type Program } from "./build.ts";
import { commandParts, refusedParts } from "./command-parts.ts";
import { lockOptions, settingSources, type Host } from "./host.ts";
import { findSpareEngine } from "./spare-engine.ts";
import { ignoreOtherSignals } from "./signals.ts";

// Docker waits ten seconds before it kills; a person at a terminal doesn't want to.
const STOP_WITHIN_MS = 1500;
const LOCK_RETRY_MS = 30_000;

/**
 * The daemon: reads the settings once, takes the lock, and keeps reconciling until SIGTERM or SIGINT. With wrong settings it
 * goes on with what is on disk, and says what is wrong to whoever asks. Resolves when it has ended; `exit` ends what takes longer.
 */
export async function runDaemon(host: Host, exit: () => void): Promise<void> {
  let isSignalled = false;
  const onSignal = () => {
    isSignalled = true;
  };
  ignoreOtherSignals(onSignal);
  const stopping = new AbortController();
  const config = readSettings(settingSources(host));
  const log = await openLog(config);
  const stop = () => {
    stopping.abort(new DaemonStoppingError());
    setTimeout(exit, STOP_WITHIN_MS).unref();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      log.info("signal.received", { signal: name });
      stop();
    });
  }
  // The loop listens too. Without it, waiting for the lock or with nothing to go on with, the signal must not end the daemon.
  process.on("SIGHUP", () => {
    onSignal();
    log.info("signal.received", { signal: "SIGHUP" });
  });
  // `docker kill`, with any signal, is a stop to Docker: it would not start us again.
  const restart = () => {
    if (!isSignalled) stop();
  };
  const start = { host, log, config, restart };
  tellStart(start);
  while (!stopping.signal.aborted) {
    await holdLock(start, stopping.signal).catch(async (thrown: unknown) => {
      if (stopping.signal.aborted) return;
      log.error("lock.denied", toFailure(thrown));
      await systemClock.sleep(LOCK_RETRY_MS, stopping.signal).catch(() => undefined);
    });
  }
  log.info("daemon.stopped");
}

type Start = {
  readonly host: Host;
  readonly log: Log;
  readonly config: Config;
  /** Ends the daemon for its restart policy. */
  readonly restart: () => void;
};

/** One tenure of the lock: from winning it until the daemon stops or the lock is lost. */
async function holdLock({ host, log, config, restart }: Start, stopping: AbortSignal): Promise<void> {
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
  const lock = await acquireLock({ ...lockOptions(host.paths, log, handler), wait: true }, stopping);
  try {
    const signal = AbortSignal.any([stopping, lock.lost]);
    const program = buildProgram(config, { ...host, log });
    await mendTree(program.parts, log);
    const refusal = await findRefusal(program);
    if (refusal) {
      // Mistakes were told at the start.
      if (config.mistakes.length === 0) log.error("settings.refused", toFailure(refusal));
      ready.resolve(refusedParts(refusal));
      return await untilAborted(signal);
    }
    await serve(program, { host, log, signal, restart, mayAct: () => lock.isHeld(), use: ready.resolve });
  } catch (thrown) {
    ready.reject(thrown);
    throw thrown;
  } finally {
    await lock.release();
  }
}

type Serving = Pick<Start, "host" | "log" | "restart"> & {
  readonly signal: AbortSignal;
  readonly mayAct: () => Promise<boolean>;
  readonly use: (parts: CommandParts) => void;
};

/** The loop and everything that asks it for runs, until the signal aborts. */
async function serve(program: Program, { host, log, signal, restart, mayAct, use }: Serving): Promise<void> {
  const parts = { ...program.parts, mayAct };
  const chosen = program.config.schedule;
  const schedule = createSchedule(
    chosen ?? drawSchedule(() => program.draw),
    { timezone: host.environment["TZ"], log },
    () => Promise.resolve(loop.request("schedule")),
  );
  // Whoever wants to hear of each run's end is a line here.
  const channels = openChannels(KINDS.channels, program.config.channels, program.tools);
  const listeners = chosen === undefined ? channels : [createSlowScheduleWarning(schedule, log), ...channels];
  const loop = createLoop({ reconcile: (run) => reconcile(parts, run), clock: systemClock, log, listeners, signal });
  use({
    ...commandParts(program, {
      run: (request, runLog, client) => loop.command(request, teeLog(log, runLog), client),
      changeAccountKey: (client) => loop.exclusive((stop) => changeAccountKey(parts, { log, signal: stop }), client),
    }),
    busySince: () => loop.facts().runningSince,
    daemon: daemonFacts(loop, () => schedule.nextRunAt()),
  });
  const onHangUp = () => loop.request("signal");
  process.on("SIGHUP", onHangUp);
  const watching = program.deployment.targets.watch(() => loop.request("target-started"), signal);
  // Not in the middle of an order.
  program.healing.due.then(() => loop.exclusive(async () => restart(), signal)).catch(() => undefined);
  loop.request("start");
  await loop.ended();
  process.off("SIGHUP", onHangUp);
  schedule.stop();
  await watching;
}

function daemonFacts(loop: Loop, nextScheduledAt: () => Date | undefined) {
  return {
    health: () => assessHealth({ now: systemClock.now(), loop: loop.facts() }),
    nextCheckAt: () => {
      const { wakeAt } = loop.facts();
      const scheduledAt = nextScheduledAt();
      return wakeAt && (!scheduledAt || wakeAt < scheduledAt) ? wakeAt : scheduledAt;
    },
  };
}

function openLog({ logFormat, logLevel: level }: Config): Promise<Log> {
  const format = logFormat === "auto" ? (process.stdout.isTTY ? "pretty" : "json") : logFormat;
  return createLog({ level, format, destination: 1, color: process.stdout.isTTY });
}

function tellStart({ host, log, config }: Start): void {
  const { version, paths } = host;
  const folders = [paths.tree, DEFAULT_WEBROOT_PATH, paths.logs].map(showFolder);
  if (config.logFormat !== "json")
    process.stdout.write(banner(version, describeSettings(settingSources(host), settingsWith(KINDS)), folders));
  log.info("daemon.started", { version });
  const problem = problemOf(config);
  if (problem) log.error("settings.refused", toFailure(problem));
  for (const { setting, message, remedy } of config.warnings)
    log.warn("option.ignored", { option: setting, because: message, remedy });
  const spare = findSpareEngine(config);
  if (spare) log.warn("option.ignored", spare);
}

function showFolder(path: string) {
  try {
    return { path, entries: readdirSync(path).sort() };
  } catch {
    return { path, entries: undefined };
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
