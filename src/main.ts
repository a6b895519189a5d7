import * as app from "./app/index.ts";
import type { InPlaceProgram } from "./cli.ts";

const hostAt = (paths: app.Paths) => ({
  version: process.env.CERT_SIDECAR_VERSION ?? "dev",
  environment: process.env,
  paths,
});

/** One command in this process, for the case that no daemon runs. */
export const runInPlace: InPlaceProgram["runInPlace"] = (request, paths) => app.runInPlace(request, hostAt(paths));

if (import.meta.main) {
  const paths = app.daemonPaths(process.argv.slice(2));
  if (paths) await app.runDaemon(hostAt(paths), () => process.exit(0));
  else process.stderr.write("Usage: main [--config-dir FOLDER] [--work-dir FOLDER] [--logs-dir FOLDER]\n");
  process.exit(paths ? 0 : 2);
}
