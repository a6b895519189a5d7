import type { Log, LogEvent, LogFields, LogLevel } from "../../src/ports/index.ts";

type Line = { readonly atMs: number; readonly text: () => string };

/** The last things that happened, for whoever looks for the cause of a failure; and all of them while somebody watches. */
export class Timeline {
  readonly #nowMs: () => number;
  readonly #most: number;
  readonly #watch: ((line: string) => void) | undefined;
  readonly #lines: Line[] = [];

  constructor(nowMs: () => number, { most = 400, watch }: { most?: number; watch?: (line: string) => void } = {}) {
    this.#nowMs = nowMs;
    this.#most = most;
    this.#watch = watch;
  }

  tell(text: () => string): void {
    const line = { atMs: this.#nowMs(), text };
    this.#watch?.(format(line));
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#most) this.#lines.splice(0, this.#most);
  }

  /** The last lines, oldest first. */
  last(): string[] {
    return this.#lines.slice(-this.#most).map(format);
  }
}

function format({ atMs, text }: Line): string {
  return `${new Date(atMs).toISOString()} ${text()}`;
}

/** A log whose lines go to the timeline, and to `onLine`; steps are left out. */
export function timelineLog(timeline: Timeline, onLine: (event: LogEvent, fields: LogFields) => void): Log {
  const tell =
    (level: LogLevel) =>
    (event: LogEvent, fields: LogFields = {}) => {
      onLine(event, fields);
      if (level !== "debug") timeline.tell(() => `${level} ${event} ${JSON.stringify(fields)}`);
    };
  return { error: tell("error"), warn: tell("warn"), info: tell("info"), debug: tell("debug") };
}
