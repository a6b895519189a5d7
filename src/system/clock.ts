import { addAbortListener } from "node:events";
import type { Clock } from "../ports/index.ts";

// No timer is set for longer: it stands still while a laptop sleeps and knows nothing of a clock that is set, so we look at
// the wall clock this often. It also keeps timers far below their limit of 2^31 - 1 ms.
const MAX_STEP_MS = 60_000;

/**
 * The machine's time. A sleep ends when its time has passed on the wall clock or on the machine's own count, whichever is
 * first: after a suspend, or when the clock was set forward, up to a minute late; when it was set back, on time.
 */
export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(ms, signal) {
    signal.throwIfAborted();
    if (!(ms > 0)) return;
    const startedAt = { wall: Date.now(), machine: performance.now() };
    for (let left = ms; left > 0;) {
      await step(Math.min(left, MAX_STEP_MS), signal);
      left = ms - Math.max(Date.now() - startedAt.wall, performance.now() - startedAt.machine);
    }
  },
};

async function step(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _onAbort = addAbortListener(signal, () => resolve());
  const timer = setTimeout(resolve, ms);
  await promise;
  clearTimeout(timer);
  signal.throwIfAborted();
}
