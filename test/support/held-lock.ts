import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createControlServer } from "../../src/control/index.ts";
import type { ControlHandler } from "../../src/control/index.ts";
import { acquireLock } from "../../src/lock/index.ts";
import type { Lock, LockOptions } from "../../src/lock/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { collectLog } from "./collected-log.ts";

/** How a test takes the lock of `<folder>/sidecar`, and does what clients ask by `handler`. */
export function lockOptions(folder: string, more: Partial<LockOptions> = {}, handler: ControlHandler = async () => 0) {
  return {
    folder: join(folder, "sidecar"),
    runFolder: join(folder, "run"),
    description: "the daemon of this test",
    serve: (identify) => createControlServer(handler, identify),
    wait: false,
    clock: systemClock,
    log: collectLog(),
    random: Math.random,
    retryEveryMs: 20,
    beatEveryMs: 1000,
    ...more,
  } satisfies LockOptions;
}

/** Takes the lock; it is released when the test ends, if not before. */
export async function takeLock(options: LockOptions, signal = new AbortController().signal): Promise<Lock> {
  const lock = await acquireLock(options, signal);
  onTestFinished(() => lock.release());
  return lock;
}
