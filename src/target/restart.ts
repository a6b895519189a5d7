import { asOperatorError } from "../certificate/index.ts";
import { targetStarting } from "./errors.ts";
import type { TargetKind, TargetTools, ToldSpot } from "./kind.ts";
import { toldTarget } from "./told-target.ts";

/** What reads its certificate only when it starts. */
export const restart = {
  name: "restart",
  make: (spot, _, tools) => {
    // What was up for long enough before has nothing left to be cut off in a start of ours, and it may be that nobody is served.
    let ownStart: number | undefined;
    return toldTarget(spot, tools, async (isServed, signal) => {
      const isOwn = ownStart !== undefined && ownStart === (await startOf(spot, tools, signal));
      const hasWaited = !isOwn && (await waitUntilUp(spot, tools, signal));
      // It may have started with what is on disk.
      if (hasWaited && (await isServed())) return;
      await tools.restart(spot, signal);
      ownStart = await startOf(spot, tools, signal);
    });
  },
} satisfies TargetKind;

// Undefined where it doesn't run, or the engine doesn't say.
async function startOf(spot: ToldSpot, tools: TargetTools, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await tools.look(spot, signal)).startedAt?.getTime();
  } catch (thrown) {
    if (asOperatorError(thrown).code === "TARGET_NOT_RUNNING") return undefined;
    throw thrown;
  }
}

// What a server does at its start must not be cut off: a database makes its folder then, which half made is never mended.
const UP_FOR_MS = 30_000;

/** Waits for a container that has only just started, for some time; gives whether it did. Throws TARGET_STARTING. */
async function waitUntilUp(spot: ToldSpot, tools: TargetTools, signal: AbortSignal): Promise<boolean> {
  const first = await tools.look(spot, signal);
  const upForMs = first.startedAt ? tools.clock.now().getTime() - first.startedAt.getTime() : UP_FOR_MS;
  // One that lies in the future is told by a clock that is not ours.
  const isYoung = upForMs >= 0 && upForMs < UP_FOR_MS;
  if (!isYoung && !first.isStarting) return false;
  await tools.clock.sleep(isYoung ? UP_FOR_MS - upForMs : UP_FOR_MS, signal);
  const now = await tools.look(spot, signal);
  if (now.isStarting) throw targetStarting(spot, "its health check says that it is starting");
  if (now.startedAt?.getTime() !== first.startedAt?.getTime())
    throw targetStarting(spot, "it has started anew meanwhile");
  return true;
}
