import { createQueues } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { Version } from "./target.ts";

// A configuration test takes some tens of milliseconds; one that waits for a name server takes half a minute.
const VERDICTS_WITHIN_MS = 2000;

/**
 * What the targets of one run share, which are deployed to side by side: the files that all of them read, what is remembered
 * of a lineage, and what one of them has refused.
 */
export class DeployRound {
  /** Whether it is of one target alone: nobody else's word on the versions is to be waited for. */
  readonly isOfOne: boolean;
  readonly #refused = new Map<string, Version>();
  readonly #judging = new Set<Promise<unknown>>();
  readonly #reading = new Set<Promise<unknown>>();
  #moved: Promise<unknown> = Promise.resolve();

  constructor(targets = 1) {
    this.isOfOne = targets === 1;
  }

  /** Says that a version has been put back to this one before it: it is given to no target any more. */
  refuse(before: Version): void {
    this.#refused.set(before.lineage, before);
  }

  isRefused = ({ lineage }: { readonly lineage: string }): boolean => this.#refused.has(lineage);

  /** What is shown in the place of those that were put back. */
  inPlaceOf(versions: readonly Version[]): readonly Version[] {
    return versions.flatMap(({ lineage }) => this.#refused.get(lineage) ?? []);
  }

  /** Does what ends with a target's word on its configuration. */
  judging<Result>(work: () => Promise<Result>): Promise<Result> {
    return during(this.#judging, work());
  }

  /** Resolves when all targets that are judging have done so, or soon: one that hangs must not hold up the others. */
  async verdicts(clock: Clock, signal: AbortSignal): Promise<void> {
    if (this.#judging.size === 0) return;
    const over = new AbortController();
    const late = clock.sleep(VERDICTS_WITHIN_MS, AbortSignal.any([over.signal, signal]));
    await Promise.race([Promise.allSettled(this.#judging), late]).finally(() => over.abort());
  }

  /** Does what reads the files in `live/`: not while they are moved. */
  async reading<Result>(work: () => Promise<Result>): Promise<Result> {
    let moved: unknown;
    // Another one may be about to move them when the one before has ended.
    while (moved !== this.#moved) await (moved = this.#moved);
    return during(this.#reading, work());
  }

  /** Does what moves the files in `live/` for a moment: alone. */
  moving<Result>(work: () => Promise<Result>): Promise<Result> {
    const moving = this.#moved.then(() => Promise.allSettled(this.#reading)).then(work);
    this.#moved = moving.catch(() => undefined);
    return moving;
  }

  /** Does what reads and then writes what is remembered of a lineage: one at a time. */
  readonly remembering = createQueues();
}

function during<Result>(under: Set<Promise<unknown>>, work: Promise<Result>): Promise<Result> {
  under.add(work);
  return work.finally(() => under.delete(work));
}
