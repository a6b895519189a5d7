import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type Dockerode from "dockerode";
import { PlainError } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";

/** How a command in a container ended. */
export type ExecResult = {
  /** undefined when the engine knows of none; only 0 is a success. 126 and 127: the command could not be started. */
  readonly exitCode: number | undefined;
  /** The last 64 KiB of each; a command that could not be started is explained in `stdout`. */
  readonly stdout: string;
  readonly stderr: string;
  /** All of `stdout`, for who asks for a long text; left out where it is longer than 4 MiB. */
  readonly whole?: string | undefined;
};

/** What a command said, for people. */
export function outputOf({ exitCode, stdout, stderr }: ExecResult): string {
  const text = [stderr, stdout].filter((part) => part !== "").join("\n");
  return text === "" ? `it printed nothing and ended with exit code ${exitCode ?? "unknown"}` : text;
}

/** Whether a command could not be started: there is no such program, or it may not be run. */
export function couldNotStart({ exitCode }: ExecResult): boolean {
  return exitCode === 126 || exitCode === 127;
}

const LONGEST_COMMAND = 200;

/** A command for people: what it is about may be hundreds of certificates, and the words are kept for each of them. */
export function commandWords(argv: readonly string[]): string {
  const words = argv.join(" ");
  return words.length > LONGEST_COMMAND ? `${words.slice(0, LONGEST_COMMAND)}…` : words;
}

/** A command in nginx's container took too long; it may still go on there. */
export function execTimedOut(container: string, argv: readonly string[], ms: number): PlainError {
  const command = commandWords(argv);
  const message = `"${command}" in ${container} did not end within ${ms / 1000} s`;
  const remedy = `Run docker exec ${container} ${command} and see what it waits for, often a name server that does not answer.`;
  return new PlainError({ code: "TARGET_COMMAND_TIMED_OUT", message, remedy });
}

/** A command, as argv, and where to run it. */
export type ExecRequest = {
  readonly docker: Dockerode;
  readonly clock: Clock;
  readonly containerId: string;
  /** Whom it runs as, like `0`; undefined: as whom the container does. */
  readonly user?: string | undefined;
  readonly argv: readonly string[];
};

const TAIL_BYTES = 64 * 1024;
const WHOLE_BYTES = 4 * 1024 * 1024;
// The output's end is seen a moment before the command's.
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 20;

/**
 * Runs a command to its end. Ends early when `signal` aborts: the engine has no way to end the command itself, so it may
 * go on in the container. The time limit is the caller's. Throws what the library throws, or the signal's reason.
 */
export async function runInContainer(request: ExecRequest, signal: AbortSignal): Promise<ExecResult> {
  const { docker, clock, containerId, user, argv } = request;
  const exec = await docker.getContainer(containerId).exec({
    Cmd: [...argv],
    AttachStdout: true,
    AttachStderr: true,
    ...(user === undefined ? {} : { User: user }),
    abortSignal: signal,
  });
  // Without hijack: a hijacked connection can't be aborted. A plain one that is aborted just ends, as if all were well, so
  // success is read from the exit code alone.
  const stream = await exec.start({ hijack: false, stdin: false, abortSignal: signal });
  const stdout = keepEnd(WHOLE_BYTES);
  const stderr = keepEnd(TAIL_BYTES);
  docker.modem.demuxStream(stream, stdout.sink, stderr.sink);
  try {
    await finished(stream, { writable: false, signal });
  } finally {
    stream.destroy();
  }
  signal.throwIfAborted();
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const { Running, ExitCode } = await exec.inspect({ abortSignal: signal });
    if (!Running) {
      const { tail, whole } = stdout.texts();
      return { exitCode: ExitCode ?? undefined, stdout: tail, stderr: stderr.texts().tail, whole };
    }
    await clock.sleep(pollMs, signal);
  }
}

// The end of an output is kept, since nginx says last what made it give up.
function keepEnd(limitBytes: number) {
  const chunks: Buffer[] = [];
  let [bytes, kept] = [0, 0];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      bytes += chunk.length;
      kept += chunk.length;
      while (kept - (chunks[0]?.length ?? 0) >= limitBytes) kept -= chunks.shift()?.length ?? 0;
      done();
    },
  });
  const texts = () => {
    const text = Buffer.concat(chunks).subarray(-limitBytes);
    return {
      tail: (bytes > TAIL_BYTES ? "…" : "") + text.subarray(-TAIL_BYTES).toString("utf8").trim(),
      whole: bytes > limitBytes ? undefined : text.toString("utf8"),
    };
  };
  return { sink, texts };
}
