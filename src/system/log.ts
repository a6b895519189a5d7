import pino from "pino";
import { printable } from "../certificate/index.ts";
import type { Log, LogEvent, LogFields, LogLevel } from "../ports/index.ts";
import { toPlainFields } from "./plain-fields.ts";

/** Where finished lines go; a write that throws is dropped. */
export type LogDestination = { write(line: string): void };

/** How log lines are written. */
export type LogOptions = {
  /** The least urgent level that is written. */
  readonly level: LogLevel;
  /** `json`: one object a line, for programs and `docker logs`. `pretty`: for eyes. */
  readonly format: "json" | "pretty";
  /** A file descriptor (1: stdout, 2: stderr), or anything that takes lines. */
  readonly destination: 1 | 2 | LogDestination;
  /** Colour in the pretty format. */
  readonly color?: boolean;
  readonly now?: () => Date;
};

/**
 * Makes the log. Each line is out when the call returns, so that none is lost when the process dies. Nothing about it ever
 * throws: neither a reader that has gone nor a field that can't be printed is a reason to stop renewing certificates.
 */
export async function createLog(options: LogOptions): Promise<Log> {
  const { level, format, destination, now = () => new Date() } = options;
  const sink = typeof destination === "number" ? openDescriptor(destination) : destination;
  const write = format === "pretty" ? await prettyWriter(sink, options.color === true) : sink.write.bind(sink);
  const logger = pino(
    {
      level,
      base: null,
      // The instant comes first in the line. pino puts the level there, so the level is left out and comes as a field;
      // the function then stands at the very beginning and its text takes no comma.
      formatters: { level: () => ({}) },
      timestamp: () =>
        `"ts":"${now()
          .toISOString()
          .replace(/\.\d+Z$/, "Z")}"`,
    },
    // A line is JSON here still: what it doesn't escape itself, some terminals obey.
    { write: quietly((line: string) => write(printable(line))) },
  );
  const tell = (level: LogLevel) => (event: LogEvent, fields?: LogFields) => {
    if (!logger.isLevelEnabled(level)) return;
    quietly(() => logger[level]({ level, event, ...withoutReserved(toPlainFields(fields ?? {})) }))();
  };
  return { error: tell("error"), warn: tell("warn"), info: tell("info"), debug: tell("debug") };
}

function openDescriptor(descriptor: 1 | 2): LogDestination {
  const stream = pino.destination({ dest: descriptor, sync: true });
  // `docker logs` or a pager that has gone; without a listener the event would end the process.
  stream.on("error", () => undefined);
  return { write: (line) => void stream.write(line) };
}

// Loaded only when asked for: it costs memory that a daemon without a terminal never gets back.
async function prettyWriter(sink: LogDestination, color: boolean): Promise<(line: string) => void> {
  const { prettyFactory } = await import("pino-pretty");
  const format = prettyFactory({
    colorize: color,
    colorizeObjects: color,
    messageKey: "event",
    timestampKey: "ts",
    translateTime: "UTC:HH:MM:ss",
    singleLine: true,
  });
  return (line) => sink.write(format(line));
}

// A field can't pass itself off as the line's own.
function withoutReserved(fields: Record<string, unknown>): Record<string, unknown> {
  for (const name of ["ts", "level", "event"]) {
    if (!(name in fields)) continue;
    fields[`${name}_`] = fields[name];
    delete fields[name];
  }
  return fields;
}

function quietly<A extends unknown[]>(act: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      act(...args);
    } catch {
      // The log has nowhere to say that the log can't be written.
    }
  };
}
