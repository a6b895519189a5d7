/** Every event that a log line can carry, `noun.past-verb`; listed in docs/events.md. */
export const LOG_EVENTS = [
  "account.key-changed",
  "account.registered",
  "account.replaced",
  "attempt.deferred",
  "attempt.interrupted",
  "authorization.reused",
  "challenge.cleanup-failed",
  "challenge.presented",
  "ca.answering",
  "ca.fallback-chosen",
  "chain.not-offered",
  "challenge.validated",
  "clock.wrong",
  "check.finished",
  "check.started",
  "command.finished",
  "command.received",
  "configuration.rejected",
  "configuration.tested",
  "daemon.started",
  "daemon.stopped",
  "deploy.failed",
  "deploy.postponed",
  "docker.connected",
  "docker.lost",
  "lineage.converted",
  "lineage.failed",
  "lineage.issued",
  "lineage.renewed",
  "lineage.repaired",
  "lineage.restored",
  "lock.acquired",
  "lock.awaited",
  "lock.denied",
  "lock.lost",
  "option.ignored",
  "limit.overridden",
  "order.created",
  "order.finalized",
  "order.given-up",
  "order.resumed",
  "profile.not-offered",
  "renewal-info.changed",
  "renewal-info.failed",
  "replacement.refused",
  "request.repeated",
  "rehearsal.passed",
  "schedule.slow",
  "self-check.failed",
  "self-check.passed",
  "settings.refused",
  "signal.received",
  "state.repaired",
  "state.unsaved",
  "storage.ephemeral",
  "target.reloaded",
  "target.served",
  "target.skipped",
] as const;

/** One of {@link LOG_EVENTS}. */
export type LogEvent = (typeof LOG_EVENTS)[number];

/** Values of a log line; they are never part of its text. Dates are written in ISO form. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where state changes are told. `error`: somebody must act. `warn`: it will retry by itself. `info`: state changed.
 * `debug`: steps. Safe to call at any time; never throws.
 */
export interface Log {
  error(event: LogEvent, fields?: LogFields): void;
  warn(event: LogEvent, fields?: LogFields): void;
  info(event: LogEvent, fields?: LogFields): void;
  debug(event: LogEvent, fields?: LogFields): void;
}

/** The levels of {@link Log}, most urgent first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log that tells each line to all of `logs`. */
export function teeLog(...logs: readonly Log[]): Log {
  const tell = (level: LogLevel) => (event: LogEvent, fields?: LogFields) => {
    for (const log of logs) log[level](event, fields);
  };
  return { error: tell("error"), warn: tell("warn"), info: tell("info"), debug: tell("debug") };
}
