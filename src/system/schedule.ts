import { createTask, validateDetailed } from "node-cron";
import type { Logger, ScheduledTask } from "node-cron";
import { OperatorError, toFailure } from "../certificate/index.ts";
import type { Log } from "../reconcile/index.ts";

/** A running schedule. */
export type Schedule = {
  /** The cron expression in force. */
  readonly expression: string;
  /** The next slot, by the wall clock. */
  nextRunAt(): Date;
  /** No tick starts after it; a tick that is under way goes on. May run twice. */
  stop(): void;
};

/** What a schedule needs. */
export type ScheduleOptions = {
  /** 0 to 1. */
  readonly random: () => number;
  /** IANA name; UTC by default, where no hour is missing or comes twice. One that isn't known is ignored with a warning. */
  readonly timezone?: string | undefined;
  readonly log: Log;
};

/** A cron expression that can't be used. */
export class ScheduleInvalidError extends OperatorError {
  readonly code = "SCHEDULE_INVALID";
  readonly remedy = "Correct CERTBOT_SCHEDULE, or remove it to check twice an hour.";

  constructor(expression: string, problem: string) {
    super(`"${expression}" is no schedule: ${problem}`);
  }
}

/**
 * Draws the schedule of an installation: one minute of each half hour, so that not everybody asks the CA at full hours.
 * The caller may keep it and pass it to createSchedule.
 */
export function drawSchedule(random: () => number): string {
  const minute = Math.min(Math.floor(random() * 30), 29);
  return `${minute},${minute + 30} * * * *`;
}

/** True, or what is wrong with it, for people. Five fields, six with seconds first, or a name like `@daily`. */
export function isCronExpression(text: string): true | string {
  const { valid, errors } = validateDetailed(text);
  if (!valid) return errors.map(({ message }) => message).join("; ") || "it is no cron expression";
  try {
    const task = createTask(text, () => undefined, { timezone: "UTC" });
    task.getNextRuns(1);
    void task.destroy();
    return true;
  } catch (thrown) {
    // Well-formed and never true, like the 30th of February.
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/**
 * Calls `onTick` in each slot of a cron expression (without one, of a schedule drawn now), until it is stopped. A slot that
 * is late, since the machine slept or the process was busy, still gets one call, however many passed (a timer stands still
 * while the machine sleeps, so it may come as late as the distance of two slots); while a call is under way no other starts. Slots that daylight saving time leaves out don't run: what is due must not hang on this alone.
 * A failing tick is logged and the next one comes. Throws ScheduleInvalidError.
 */
export function createSchedule(
  expression: string | undefined,
  options: ScheduleOptions,
  onTick: () => Promise<void>,
): Schedule {
  const { log, random } = options;
  const inForce = expression ?? drawSchedule(random);
  const verdict = isCronExpression(inForce);
  if (verdict !== true) throw new ScheduleInvalidError(inForce, verdict);
  const tick = async () => {
    try {
      await onTick();
    } catch (thrown) {
      log.error("check.finished", toFailure(thrown));
    }
  };
  const task = createTask(inForce, tick, {
    timezone: knownTimezone(options.timezone, log),
    noOverlap: true,
    // The library drops a slot that is a second late. Any lateness is in time for us; it still runs only the last one.
    missedExecutionTolerance: Number.MAX_SAFE_INTEGER,
    suppressMissedWarning: true,
    logger: loggerOf(log),
  });
  void task.start();
  return { expression: inForce, nextRunAt: () => nextRunOf(task), stop: () => void task.destroy() };
}

function nextRunOf(task: ScheduledTask): Date {
  const [next] = task.getNextRuns(1);
  if (next === undefined) throw new ScheduleInvalidError(task.getPattern(), "it has no next run");
  return next;
}

function knownTimezone(timezone: string | undefined, log: Log): string {
  if (timezone === undefined || timezone === "") return "UTC";
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    // TZ may hold what C libraries take, like `:/etc/localtime`.
    log.warn("option.ignored", { option: "TZ", value: timezone, because: "it is no IANA time zone; UTC is used" });
    return "UTC";
  }
}

// What the library says, at the level it deserves: an overlap is put off until the next slot.
function loggerOf(log: Log): Logger {
  return {
    info: () => undefined,
    debug: () => undefined,
    warn: (message) => log.debug("attempt.deferred", { because: message }),
    error: (message) => log.error("check.finished", toFailure(message instanceof Error ? message : new Error(message))),
  };
}
