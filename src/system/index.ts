export { sleepUntil, systemClock } from "./clock.ts";
export { createLog } from "./log.ts";
export type { LogDestination, LogOptions } from "./log.ts";
export { createSchedule, drawSchedule, isCronExpression, ScheduleInvalidError } from "./schedule.ts";
export type { Schedule, ScheduleOptions } from "./schedule.ts";
export { createSlowScheduleWarning } from "./slow-schedule.ts";
