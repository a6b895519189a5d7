import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { createControlServer, type ControlHandler } from "../control/index.ts";
import type { Log } from "../ports/index.ts";
import type { ConfigSources } from "../settings/index.ts";
import { isCronExpression, systemClock } from "../system/index.ts";
import { lockFolder, type Paths } from "./paths.ts";

/** What a process is told by whoever starts it. */
export type Host = {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly paths: Paths;
};

/** Where the settings of this process come from. */
export function settingSources({ environment }: Pick<Host, "environment">): ConfigSources {
  return {
    environment,
    dotenvText: readIfThere(".env"),
    readFile: (path) => readFileSync(path, "utf8"),
    isCronExpression: (text) => isCronExpression(text, environment["TZ"]),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** How this process takes the lock, and who answers clients while it has it. */
export function lockOptions(paths: Paths, log: Log, handler: ControlHandler) {
  return {
    folder: lockFolder(paths),
    runFolder: paths.run,
    description: `the sidecar in container ${hostname()}`,
    serve: (identify: () => object) => createControlServer(handler, identify),
    clock: systemClock,
    log,
    random: Math.random,
  };
}
