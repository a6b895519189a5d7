#!/usr/bin/env node
import { constants } from "node:os";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { askDaemon, printed } from "./control/index.ts";
import type { ControlRequest } from "./control/index.ts";
import { SOCKET_NAME } from "./lock/index.ts";
import { lockFolder, takePaths, type Paths } from "./app/paths.ts";

/**
 * What main.ts exports for the case that no daemon runs: does the command in this process. It prints by itself and takes
 * the lock by itself. main.ts is a bundle of its own, loaded only then: it is a hundred times the size of this one.
 */
export type InPlaceProgram = {
  runInPlace(request: ControlRequest, paths: Paths): Promise<InPlaceOutcome>;
};

/** The command's exit code; or that it did nothing, since another has the lock, with the words that say so. */
export type InPlaceOutcome =
  { readonly kind: "done"; readonly exitCode: number } | { readonly kind: "held"; readonly words: string };

/** What the client knows of a verb: see `Verb`. Its name is a name in PATH too; anything else is a word after `cert-sidecar`. */
export type KnownVerb = { readonly name: string; readonly isReadOnly: boolean; readonly isDaemons?: boolean };

/** The outside world of one call of the client. */
export type CliOptions = {
  /** As process.argv: the interpreter, the name we were called by, the words after it. */
  readonly argv: readonly string[];
  readonly verbs: readonly KnownVerb[];
  readonly loadProgram: () => Promise<InPlaceProgram>;
  /** See AskOptions. */
  readonly acceptWithinMs?: number;
};

// A daemon that holds the lock opens its socket at once.
const HOLDER_ASKED_AGAIN = { times: 20, everyMs: 100 } as const;
const STOPPED_BY = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/**
 * The thin client: has the daemon do the command, or does it in this process when there is no daemon. Gives the exit code;
 * never rejects. Output goes to this process's stdout and stderr; a reader of them that has gone is no failure.
 */
export async function runCli(options: CliOptions): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreBrokenPipe);
  const { paths, rest } = commandLine(options);
  const [command, ...args] = rest;
  if (command === undefined) {
    process.stderr.write(`Usage: cert-sidecar ${options.verbs.map(({ name }) => name).join("|")} [option...]\n`);
    return 2;
  }
  const verb = options.verbs.find(({ name }) => name === command);
  try {
    return await askOrRun({ command, args, terminal: { isTty: isatty(1) } }, { ...options, paths, verb });
  } catch (thrown) {
    process.stderr.write(`${printed(thrown)}\n`);
    return 1;
  }
}

/** The command and its words: the name that the program was called by, or else the first word after it and the paths. */
export function commandLine({ argv, verbs }: Pick<CliOptions, "argv" | "verbs">): ReturnType<typeof takePaths> {
  const calledAs = basename(argv[1] ?? "").replace(/\.sh$/, "");
  return takePaths(verbs.some(({ name }) => name === calledAs) ? [calledAs, ...argv.slice(2)] : argv.slice(2));
}

type Call = CliOptions & { readonly paths: Paths; readonly verb: KnownVerb | undefined };

async function askOrRun(request: ControlRequest, options: Call): Promise<number> {
  const exitCode = await ask(request, options);
  if (exitCode !== undefined) return exitCode;
  if (options.verb?.isDaemons) throw new Error("the daemon doesn't answer");
  const program = await options.loadProgram();
  const outcome = await program.runInPlace(request, options.paths);
  if (outcome.kind === "done") return outcome.exitCode;
  // The holder may be a daemon that was just starting when it was asked.
  for (let time = 0; time < HOLDER_ASKED_AGAIN.times; time += 1) {
    const exitCode = await ask(request, options);
    if (exitCode !== undefined) return exitCode;
    await sleep(HOLDER_ASKED_AGAIN.everyMs);
  }
  process.stderr.write(outcome.words);
  return 1;
}

/** Has the daemon do it. Gives the exit code; undefined where no daemon answers. */
async function ask(request: ControlRequest, call: Call): Promise<number | undefined> {
  const { paths, acceptWithinMs } = call;
  // Only while the daemon is asked: a command in this process looks after its signals itself.
  const stopped = new AbortController();
  const stop = (signal: NodeJS.Signals) => stopped.abort(signal);
  for (const name of STOPPED_BY) process.on(name, stop);
  try {
    return await askDaemon(
      request,
      {
        // The holder's socket is in the lock's folder, or elsewhere where that can't have sockets.
        sockets: [lockFolder(paths), paths.run].map((folder) => `${folder}/${SOCKET_NAME}`),
        acceptWithinMs,
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
      },
      stopped.signal,
    );
  } catch (thrown) {
    if (!stopped.signal.aborted) throw thrown;
    if (!call.verb?.isReadOnly) {
      process.stderr.write(`${request.command} goes on in the daemon; \`status\` shows how it ends.\n`);
    }
    // As a shell gives it.
    return 128 + constants.signals[stopped.signal.reason as NodeJS.Signals];
  } finally {
    for (const name of STOPPED_BY) process.off(name, stop);
  }
}

// `certificates | head -1`: the reader has what it wanted; what we were asked to do is still done to its end.
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

/** Resolves when all that was written has been handed to the system, or can't be. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.write("", () => resolve());
  });
}

async function main(): Promise<void> {
  // Beside this file, as source or as bundle; computed, so that the bundler leaves it out of this one.
  const beside = (name: string): Promise<unknown> => import(import.meta.url.replace(/cli(?=\.[jt]s$)/, name));
  // The build writes them here, so that this bundle needs nothing of the verbs themselves.
  const written = process.env.CERT_SIDECAR_VERBS;
  const verbs =
    written === undefined
      ? ((await beside("commands/index")) as { VERBS: KnownVerb[] }).VERBS
      : (JSON.parse(written) as KnownVerb[]);
  const loadProgram = async () => (await beside("main")) as InPlaceProgram; // Not known to the compiler: see above.
  const exitCode = await runCli({ argv: process.argv, verbs, loadProgram });
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(exitCode);
}

if (import.meta.main) await main();
