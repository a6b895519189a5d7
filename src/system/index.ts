export { systemClock } from "./clock.ts";
export { lookUpCaa, lookUpHost, lookUpTxt } from "./dns.ts";
export { findHost } from "./host-finder.ts";
export { createHttp } from "./http.ts";
export type { HttpOptions } from "./http.ts";
export { createLog, type LogOptions } from "./log.ts";
export { runLocal } from "./process.ts";
export { createSchedule, drawSchedule, isCronExpression } from "./schedule.ts";
export { createSlowScheduleWarning } from "./slow-schedule.ts";
