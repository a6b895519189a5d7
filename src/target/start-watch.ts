import { asOperatorError, toFailure } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import { composeService, projectFilter } from "./compose-labels.ts";
import { findSurroundings, mayBeTarget, surveyProject, targetName, type SurveyParts } from "./compose-survey.ts";
import type { OwnPlace } from "./docker/container-address.ts";
import type { Container } from "./docker/container.ts";
import { DEPLOY, operatorsLabels } from "./labels.ts";

/** What the watch needs besides what the survey does. */
export type WatchParts = SurveyParts & {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** First pause before the event stream is opened again, in milliseconds; it doubles with each failure. */
  readonly reconnectFirstMs: number;
  readonly reconnectLongestMs: number;
  /** Hears each connection and each failure of one. */
  readonly onLine?: ((line: EngineLine) => void) | undefined;
};

/** How the line to the engine is; with a connection it is known whether the engine starts us again when we end. */
export type EngineLine =
  | { readonly kind: "connected"; readonly isRestarted: boolean }
  | { readonly kind: "lost"; readonly isSocketReplaced: boolean };

type OnStart = (target: string) => void;

// A paused nginx goes on with what it had loaded before, so its unpausing is a start to us.
const START_ACTIONS = ["start", "unpause"];

const JITTER = 0.2;

/**
 * Calls `onStart` with a target's name whenever a container that may be a target starts, until `signal` aborts; then resolves. A
 * lost connection is made anew for ever, with growing pauses; after each, `onStart` is called for all that run, since a start
 * may have been missed. `onStart` must not throw. That Docker is lost or there again is logged once for each change.
 */
export async function watchStarts(parts: WatchParts, onStart: OnStart, signal: AbortSignal): Promise<void> {
  const { clock, reconnectLongestMs, onLine = () => undefined } = parts;
  const tell = tellChanges(parts, signal);
  const connected = (ownPlace: OwnPlace) => {
    tell("connected");
    onLine({ kind: "connected", isRestarted: ownPlace?.isRestarted ?? false });
  };
  let failures = 0;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    const startedAt = clock.now().getTime();
    try {
      await follow(parts, { onStart, signal, isFirst: attempt === 1, connected });
    } catch (thrown) {
      tell("lost", thrown);
      onLine({ kind: "lost", isSocketReplaced: asOperatorError(thrown).code === "DOCKER_SOCKET_REPLACED" });
    }
    // A proxy may end a stream that has been idle for long: no failure. One that ends at once, again and again, is.
    failures = clock.now().getTime() - startedAt >= reconnectLongestMs ? 1 : failures + 1;
    await pause(parts, failures, signal);
  }
}

type Follow = {
  readonly onStart: OnStart;
  readonly signal: AbortSignal;
  /** Whoever starts to watch searches by himself first. */
  readonly isFirst: boolean;
  readonly connected: (ownPlace: OwnPlace) => void;
};

// Ends or throws when the stream does.
async function follow(parts: WatchParts, { onStart, signal, isFirst, connected }: Follow): Promise<void> {
  const { engine } = parts;
  const { project, ownPlace } = await findSurroundings(parts, signal);
  using stream = await engine.openEvents({ actions: START_ACTIONS, labels: projectFilter(project) }, signal);
  connected(ownPlace);
  // Listening before searching: a start in between is told twice rather than not at all.
  const { replicas } = isFirst ? { replicas: [] } : await surveyProject(parts, signal);
  for (const { name, container } of replicas.filter(({ container }) => container.status === "running")) {
    if (await isAsked(parts, container, signal)) onStart(name);
  }
  for await (const { id, labels } of stream.events) {
    if (await isAsked(parts, { id, labels }, signal))
      onStart(targetName(parts, labels, labels["name"] ?? id.slice(0, 12)));
  }
}

type Started = Pick<Container, "id" | "labels">;

// Without those that have our label from their image alone; where Docker doesn't say, the run that is triggered finds out.
async function isAsked(parts: WatchParts, { id, labels }: Started, signal: AbortSignal) {
  const { engine, services } = parts;
  if (services.includes(composeService(labels) ?? "")) return true;
  if (!mayBeTarget(parts, labels)) return false;
  try {
    const container = await engine.inspect(id, signal);
    return container !== undefined && DEPLOY in (await operatorsLabels(engine, container, signal));
  } catch {
    signal.throwIfAborted();
    return true;
  }
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

function tellChanges({ log, engine: { endpoint }, scope }: WatchParts, signal: AbortSignal) {
  let told: "connected" | "lost" | undefined;
  return (state: "connected" | "lost", thrown?: unknown) => {
    // What an abort ends is not lost; and who watches our own project tells of the same engine.
    if (told === state || signal.aborted || scope === "another") return;
    told = state;
    if (state === "connected") log.info("docker.connected", { endpoint });
    else log.warn("docker.lost", { endpoint, ...toFailure(thrown) });
  };
}
