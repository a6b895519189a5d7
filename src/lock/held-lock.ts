import { toFailure } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import { LockLostError } from "./errors.ts";
import type { LivenessFile } from "./liveness-file.ts";

/** The right to be the only one who acts in a folder, while `lost` has not aborted. */
export interface Lock {
  /** Aborts, with a LockLostError as reason, when the lock was taken from us: everything under it must stop. */
  readonly lost: AbortSignal;
  /** Whether the lock is still ours at this moment; to be asked before an order is placed. Cheap; never rejects. */
  isHeld(): Promise<boolean>;
  /** Ends the clients and gives the lock to the next one, within a second. May run twice; never rejects. */
  release(): Promise<void>;
}

/**
 * Keeps a lock that was won: checks now and then that its liveness file is still there, and restores the control socket
 * when somebody removed only that. `leave` is what gives it up.
 */
export function keepLock(
  file: LivenessFile,
  options: {
    readonly folder: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly leave: () => Promise<void>;
  },
): Lock {
  const { folder, clock, log, leave } = options;
  const lost = new AbortController();
  const released = new AbortController();
  let leaving: Promise<void> | undefined;

  const isHeld = async () => {
    if (lost.signal.aborted || released.signal.aborted) return false;
    if (await file.isThere()) return true;
    // Asked by several at once, or released in the meantime: it is told once, and only when it is news.
    if (lost.signal.aborted || released.signal.aborted) return false;
    const error = new LockLostError(folder, `${file.name} was removed, or could not be kept up`);
    log.error("lock.lost", { folder, ...toFailure(error) });
    lost.abort(error);
    return false;
  };
  const watch = async () => {
    while (await isHeld()) {
      // A folder that can't be written now is no reason to give up: the lock is held, only clients can't find us.
      await file.publish().catch(() => undefined);
      await clock.sleep(file.checkEveryMs, released.signal).catch(() => undefined);
    }
  };
  const watching = watch();
  // A control socket that is being put up would appear after it was taken away, perhaps over the next holder's.
  const end = async () => {
    await watching;
    await leave();
  };
  return {
    lost: lost.signal,
    isHeld,
    release() {
      released.abort();
      leaving ??= end();
      return leaving;
    },
  };
}
