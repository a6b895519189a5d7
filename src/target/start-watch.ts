import { toFailure } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import { projectFilter, replicaName } from "./compose-labels.ts";
import { findSurroundings, mayBeTarget, surveyProject, type SurveyParts } from "./compose-survey.ts";

/** What the watch needs besides what the survey does. */
export type WatchParts = SurveyParts & {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** First pause before the event stream is opened again, in milliseconds; it doubles with each failure. */
  readonly reconnectFirstMs: number;
  readonly reconnectLongestMs: number;
};

// A paused nginx goes on with what it had loaded before, so its unpausing is a start to us.
const START_ACTIONS = ["start", "unpause"];

const JITTER = 0.2;

/**
 * Calls `onStart` with a target's name whenever a container that may be a target starts, until `signal` aborts; then resolves. A
 * lost connection is made anew for ever, with growing pauses; after each, `onStart` is called for all that run, since a start
 * may have been missed. `onStart` must not throw. That Docker is lost or there again is logged once for each change.
 */
export async function watchStarts(
  parts: WatchParts,
  onStart: (target: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, reconnectLongestMs } = parts;
  const tell = tellChanges(parts, signal);
  let failures = 0;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    const startedAt = clock.now().getTime();
    try {
      await follow(parts, { onStart, signal, isFirst: attempt === 1, connected: () => tell("connected") });
    } catch (thrown) {
      tell("lost", thrown);
    }
    // A proxy may end a stream that has been idle for long: no failure. One that ends at once, again and again, is.
    failures = clock.now().getTime() - startedAt >= reconnectLongestMs ? 1 : failures + 1;
    await pause(parts, failures, signal);
  }
}

type Follow = {
  readonly onStart: (target: string) => void;
  readonly signal: AbortSignal;
  /** Whoever starts to watch searches by himself first. */
  readonly isFirst: boolean;
  readonly connected: () => void;
};

// Ends or throws when the stream does.
async function follow(parts: WatchParts, { onStart, signal, isFirst, connected }: Follow): Promise<void> {
  const { engine, service } = parts;
  const { project } = await findSurroundings(parts, signal);
  using stream = await engine.openEvents({ actions: START_ACTIONS, labels: projectFilter(project) }, signal);
  connected();
  // Listening before searching: a start in between is told twice rather than not at all.
  if (!isFirst) for (const target of await runningTargets(parts, signal)) onStart(target);
  for await (const { containerId, labels } of stream.events) {
    if (mayBeTarget(service, labels)) onStart(replicaName(labels, labels["name"] ?? containerId.slice(0, 12)));
  }
}

async function runningTargets(parts: WatchParts, signal: AbortSignal): Promise<string[]> {
  const { replicas } = await surveyProject(parts, signal);
  return replicas.filter(({ container }) => container.status === "running").map(({ name }) => name);
}

async function pause(parts: WatchParts, failures: number, signal: AbortSignal): Promise<void> {
  const { clock, random, reconnectFirstMs, reconnectLongestMs } = parts;
  const plainMs = Math.min(reconnectFirstMs * 2 ** (failures - 1), reconnectLongestMs);
  try {
    await clock.sleep(plainMs * (1 + JITTER * (2 * random() - 1)), signal);
  } catch {
    // aborted: the loop ends by itself
  }
}

function tellChanges({ log, engine: { endpoint } }: WatchParts, signal: AbortSignal) {
  let told: "connected" | "lost" | undefined;
  return (state: "connected" | "lost", thrown?: unknown) => {
    if (told === state || signal.aborted) return;
    told = state;
    if (state === "connected") log.info("docker.connected", { endpoint });
    else log.warn("docker.lost", { endpoint, ...toFailure(thrown) });
  };
}
