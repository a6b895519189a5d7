import { OperatorError, PlainError, toFailure, wordsOf } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import type { Picture } from "./picture.ts";

/** Hears how things are after each run that says so; a rehearsal says nothing of it. */
export interface RunListener {
  readonly name: string;
  /** `before` is what it was told last, whatever it made of it; undefined after a start. `signal` aborts when its time is up: 30 s. */
  after(now: Picture, before: Picture | undefined, signal: AbortSignal): void | Promise<void>;
}

const WITHIN_MS = 30_000;

type Surroundings = { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal };

/** Makes what tells all listeners, side by side. It can fail no run and hold none up: what was missed meanwhile is told as one. */
export function createTeller(listeners: readonly RunListener[], surroundings: Surroundings) {
  let latest: Picture | undefined;
  let told: Picture | undefined;
  let telling: Promise<void> | undefined;
  const tellAll = async () => {
    for (let now = latest; now !== told && now !== undefined && !surroundings.signal.aborted; now = latest) {
      const before = told;
      told = now;
      await Promise.all(listeners.map((one) => tell(one, (signal) => one.after(now, before, signal), surroundings)));
    }
    telling = undefined;
  };
  return {
    /** Never throws. */
    tell: (picture: Picture): void => {
      latest = picture;
      telling ??= tellAll();
    },
    /** Resolves when nobody is being told. */
    ended: async () => telling,
  };
}

async function tell(
  { name }: RunListener,
  listen: (signal: AbortSignal) => void | Promise<void>,
  { clock, log, signal }: Surroundings,
): Promise<void> {
  const over = new AbortController();
  const late = clock.sleep(WITHIN_MS, AbortSignal.any([over.signal, signal])).then(() => {
    throw new Error(`it took longer than ${WITHIN_MS / 1000} s`);
  });
  try {
    await Promise.race([listen(over.signal), late]);
  } catch (thrown) {
    const failure = thrown instanceof OperatorError ? thrown : listenerFailed(thrown);
    if (!signal.aborted) log.warn("listener.failed", { listener: name, ...toFailure(failure) });
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}

/** What hears of each run, a channel among others, failed or took longer than half a minute; the runs go on. */
function listenerFailed(cause: unknown): PlainError {
  const remedy = "Check its settings, and whether this container reaches what it tells; it hears of the next run.";
  return new PlainError({ code: "LISTENER_FAILED", message: wordsOf(cause), remedy, cause });
}
