import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { addAbortListener } from "node:events";
import type { Readable } from "node:stream";
import type { LocalCommand, LocalResult } from "../ports/index.ts";

/** Runs a program in a process group of its own: see {@link RunLocal}. */
export async function runLocal(command: LocalCommand, signal: AbortSignal): Promise<LocalResult> {
  signal.throwIfAborted();
  const { argv, env = {}, stdin, timeoutMs, longestOutputBytes, ...where } = command;
  const [program, ...words] = argv;
  const child = spawn(program, words, { ...where, env, detached: true });
  const stdout = collect(child.stdout, longestOutputBytes);
  const stderr = collect(child.stderr, longestOutputBytes);
  // A program need not read what it is given.
  child.stdin.on("error", () => undefined).end(stdin);
  let isTimedOut = false;
  using _timer = setTimeout(() => {
    isTimedOut = true;
    kill(child);
  }, timeoutMs);
  using _onAbort = addAbortListener(signal, () => kill(child));
  const ending = await endOf(child);
  signal.throwIfAborted();
  return { ...ending, isTimedOut, stdout: stdout(), stderr: stderr() };
}

/** The end is when nobody can print any more: what the program has left behind in its group counts as the program. */
function endOf(child: ChildProcessWithoutNullStreams): Promise<Pick<LocalResult, "exitCode" | "signal">> {
  const { promise, resolve, reject } = Promise.withResolvers<Pick<LocalResult, "exitCode" | "signal">>();
  child.on("error", reject);
  child.on("close", (code, killedBy) => resolve({ exitCode: code ?? undefined, signal: killedBy ?? undefined }));
  return promise;
}

function kill(child: ChildProcessWithoutNullStreams): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
  // Who has left the group may still hold the other ends, and is not waited for.
  child.stdout.destroy();
  child.stderr.destroy();
}

function collect(stream: Readable, longestBytes: number): () => string {
  const chunks: Buffer[] = [];
  let left = longestBytes;
  stream.on("data", (chunk: Buffer) => {
    if (left > 0) chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}
