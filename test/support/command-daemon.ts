import { join } from "node:path";
import type { ControlHandler } from "../../src/control/index.ts";
import { SOCKET_NAME } from "../../src/lock/index.ts";
import type { Lock } from "../../src/lock/index.ts";
import { lockOptions, takeLock } from "./held-lock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Holds the lock of a folder and does what clients ask by `handler`, until the test ends or the lock is released. */
export async function startCommandDaemon(
  handler: ControlHandler,
  place?: string,
): Promise<{ readonly socket: string; readonly lock: Lock }> {
  const folder = place ?? (await temporaryFolder());
  const lock = await takeLock(lockOptions(folder, { folder }, handler));
  return { socket: join(folder, SOCKET_NAME), lock };
}
