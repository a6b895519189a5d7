import type { Log, LogEvent, LogFields, LogLevel } from "../../src/ports/index.ts";

/** One line as it was told. */
export type CollectedLine = { readonly level: LogLevel; readonly event: LogEvent; readonly fields: LogFields };

/** A log that keeps its lines, oldest first. */
export function collectLog(): Log & { readonly lines: CollectedLine[] } {
  const lines: CollectedLine[] = [];
  const tell =
    (level: LogLevel) =>
    (event: LogEvent, fields: LogFields = {}) => {
      lines.push({ level, event, fields });
    };
  return { lines, error: tell("error"), warn: tell("warn"), info: tell("info"), debug: tell("debug") };
}
