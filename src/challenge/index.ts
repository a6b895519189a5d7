export { UnsafeTokenError, WebrootError } from "./errors.ts";
export { createWebrootSolver } from "./webroot.ts";
