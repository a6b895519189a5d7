import { createTask, validateDetailed } from "node-cron";
import type { ScheduledTask } from "node-cron";
import { OperatorError, toFailure } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import { systemClock } from "./clock.ts";

/** A running schedule. */
export type Schedule = {
  readonly expression: string;
  /** The next slot, by the wall clock; undefined where none is left. */
  nextRunAt(): Date | undefined;
  /**
   * The longest time between two slots in the months to come, in milliseconds; with days or months that differ, and with the
   * hours that daylight saving time leaves out. Takes some 50 ms.
   */
  longestGapMs(): number;
  /** No tick starts after it; a tick that is under way goes on. May run twice. */
  stop(): void;
};

/** What a schedule needs. */
export type ScheduleOptions = {
  /** IANA name; UTC by default, where no hour is missing or comes twice. One that isn't known is ignored with a warning. */
  readonly timezone?: string | undefined;
  readonly log: Log;
};

/** `CERTBOT_SCHEDULE` is no cron expression. */
export class ScheduleInvalidError extends OperatorError {
  readonly code = "SCHEDULE_INVALID";
  readonly remedy = "Correct CERTBOT_SCHEDULE, or remove it to check twice an hour.";

  constructor(expression: string, problem: string) {
    super(`"${expression}" is no schedule: ${problem}`);
  }
}

/** Draws the schedule of an installation: one minute of each half hour, so that not everybody asks the CA at full hours. */
export function drawSchedule(random: () => number): string {
  const minute = Math.min(Math.floor(random() * 30), 29);
  return `${minute},${minute + 30} * * * *`;
}

/**
 * True, or what is wrong with it, for people. Five fields, six with seconds first, or a name like `@daily`. It must have a slot
 * in the time zone it will run in (an IANA name; where it isn't known, and by default, UTC).
 */
export function isCronExpression(text: string, timezone?: string): true | string {
  const { valid, errors } = validateDetailed(text);
  if (!valid) return errors.map(({ message }) => message).join("; ") || "it is no cron expression";
  const task = createTask(text, () => undefined, { timezone: knownTimezone(timezone) ?? "UTC" });
  const next = nextRunOf(task);
  void task.destroy();
  // Well-formed and never true, like the 30th of February, or an hour that daylight saving time always leaves out on that day.
  return next === undefined ? "it never comes" : true;
}

/**
 * Calls `onTick` in each slot of a cron expression, until it is stopped. The wall clock counts: slots that have passed while the
 * machine slept, the process was busy or the clock was set forward get one call together, within a minute; after the clock was
 * set back the slots are counted anew. While a call is under way no other starts. Slots that daylight saving time leaves out
 * don't run: what is due must not hang on this alone. A failing tick is logged. Throws ScheduleInvalidError.
 */
export function createSchedule(
  expression: string,
  { log, timezone: wanted }: ScheduleOptions,
  onTick: () => Promise<void>,
): Schedule {
  const verdict = isCronExpression(expression, wanted);
  if (verdict !== true) throw new ScheduleInvalidError(expression, verdict);
  const known = knownTimezone(wanted);
  const timezone = known ?? "UTC";
  const because = "it is no IANA time zone; UTC is used";
  if (known === undefined) log.warn("option.ignored", { option: "TZ", value: wanted, because });
  // Only asked for its slots. Its own timer goes through all that have passed, one by one, which takes minutes after a jump of
  // years, and after a jump back it waits until the clock is again where it was.
  const slots = createTask(expression, () => undefined, { timezone });
  const stopping = new AbortController();
  const tell = (thrown: unknown) => {
    if (!stopping.signal.aborted) log.error("check.finished", toFailure(thrown));
  };
  const tick = () => onTick().catch(tell);
  tickInSlots(slots, tick, stopping.signal).catch(tell);
  return {
    expression,
    nextRunAt: () => nextRunOf(slots),
    longestGapMs: () => longestGapMs(expression, timezone),
    stop: () => {
      stopping.abort();
      void slots.destroy();
    },
  };
}

async function tickInSlots(slots: ScheduledTask, tick: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let slot = nextRunOf(slots); slot !== undefined; slot = nextRunOf(slots)) {
    await systemClock.sleep(slot.getTime() - Date.now(), signal);
    // Else the timer was a moment early, or the clock has been set back.
    if (Date.now() >= slot.getTime()) await tick();
  }
}

// The last is two weeks of an hourly schedule, and more than a year of a daily one. Each slot costs a tenth of a millisecond,
// and the years that are gone through to find it some more: so a few are read first.
const SLOTS_READ = [2, 20, 370];
const HOUR_MS = 3600_000;
const FAR_MS = 2 * 366 * 24 * HOUR_MS;

// With many slots an hour these many don't reach the days that have none: one slot an hour does, and is wrong by an hour at most.
function longestGapMs(expression: string, timezone: string): number {
  const fields = expression.trim().split(/\s+/);
  const exactMs = longestOf(expression, timezone);
  const hasManyAnHour = fields.length > 5 || /\D/.test(fields[0] ?? "");
  if (fields.length < 5 || !hasManyAnHour) return exactMs;
  return Math.max(exactMs, longestOf(["0", ...fields.slice(-4)].join(" "), timezone) - HOUR_MS);
}

function longestOf(expression: string, timezone: string): number {
  const task = createTask(expression, () => undefined, { timezone });
  const now = Date.now();
  let slots = [now];
  for (const count of SLOTS_READ) {
    const runs = nextRunsOf(task, count).map((run) => run.getTime());
    if (runs.length > 0) slots = [now, ...runs];
    if (runs.length === 0 || Math.max(...runs) - now > FAR_MS) break;
  }
  void task.destroy();
  return slots.reduce((longest, slot, index) => Math.max(longest, slot - (slots[index - 1] ?? slot)), 0);
}

function nextRunOf(task: ScheduledTask): Date | undefined {
  return nextRunsOf(task, 1)[0];
}

// Empty where so many aren't found: the library looks for each in the hundred years after the one before, and then throws.
function nextRunsOf(task: ScheduledTask, count: number): readonly Date[] {
  try {
    return task.getNextRuns(count);
  } catch {
    return [];
  }
}

// TZ may hold what C libraries take, like `:/etc/localtime`.
function knownTimezone(timezone: string | undefined): string | undefined {
  if (timezone === undefined || timezone === "") return "UTC";
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
