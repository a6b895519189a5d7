export { runDaemon } from "./daemon.ts";
export { runInPlace } from "./in-place.ts";
export { daemonPaths } from "./paths.ts";
export type { Paths } from "./paths.ts";
