import type { Clock, Log } from "../ports/index.ts";
import { createTeller, type RunListener } from "./listeners.ts";
import { pictureOf } from "./picture.ts";
import { automaticRun, type RunRequest } from "./policy.ts";
import type { Run } from "./run.ts";
import { mergeReports, type RunReport } from "./run-report.ts";

/** What the loop works with. */
export type LoopParts = {
  /** One run of reconcile. Throws only the signal's reason. */
  readonly reconcile: (run: Run) => Promise<RunReport>;
  readonly clock: Clock;
  readonly log: Log;
  /** Told after each run; none when left out. */
  readonly listeners?: readonly RunListener[];
  /** Ends the loop and whatever run is under way. */
  readonly signal: AbortSignal;
};

type Trigger = Exclude<RunRequest["trigger"], "command">;

/** What the loop is doing, for health and status. */
export type LoopFacts = {
  /** The last finished run over all certificates. */
  readonly lastReport?: RunReport | undefined;
  readonly runningSince?: Date | undefined;
  /** When the timer will ask for the next run; the schedule may do so sooner. */
  readonly wakeAt?: Date | undefined;
};

/** The one place that runs reconcile, and what must not happen meanwhile: one thing at a time, whoever asks. */
export interface Loop {
  /** Asks for a run; requests that come before it begins become one. Never throws. */
  request(trigger: Trigger): void;
  /**
   * Runs as soon as the run under way has finished, and gives its report. Throws the loop's reason when it ends, or the
   * client's when that has gone before the run has begun; one that has begun goes on.
   */
  command(request: RunRequest, log: Log, client: AbortSignal): Promise<RunReport>;
  /** Does something else than a run, at a time when no run is under way; as {@link Loop.command} in all the rest. */
  exclusive<Result>(work: (signal: AbortSignal) => Promise<Result>, client: AbortSignal): Promise<Result>;
  facts(): LoopFacts;
  /** Resolves when the signal has ended the loop and no run is under way. */
  ended(): Promise<void>;
}

// What is due and still can't be done must not make the loop spin.
const SHORTEST_PAUSE_MS = 1000;

/** Makes an idle loop; the first `request` sets it in motion, and after each run it sleeps until something is due. */
export function createLoop(parts: LoopParts): Loop {
  return new ReconcileLoop(parts);
}

class ReconcileLoop implements Loop {
  readonly #parts: LoopParts;
  readonly #teller: ReturnType<typeof createTeller>;
  #tail: Promise<unknown> = Promise.resolve();
  #pending: Trigger | undefined;
  #timer = new AbortController();
  #facts: LoopFacts = {};
  readonly #since: Date;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#since = parts.clock.now();
    this.#teller = createTeller(parts.listeners ?? [], parts);
  }

  request(trigger: Trigger): void {
    const isQueued = this.#pending !== undefined;
    // A target that has just started is deployed to at once: that must not get lost in a plain check.
    if (!isQueued || trigger === "target-started") this.#pending = trigger;
    if (isQueued || this.#parts.signal.aborted) return;
    const run = this.#enqueue(() => {
      const request = automaticRun(this.#pending ?? trigger);
      this.#pending = undefined;
      return this.#runOne(request, this.#parts.log);
    });
    run.catch(() => undefined); // the signal's reason; reconcile reports everything else
  }

  command(request: RunRequest, log: Log, client: AbortSignal): Promise<RunReport> {
    return this.exclusive(() => this.#runOne(request, log), client);
  }

  exclusive<Result>(work: (signal: AbortSignal) => Promise<Result>, client: AbortSignal): Promise<Result> {
    return this.#enqueue(async () => {
      // Whoever types a command again and again, and Ctrl-C in between, means it once: each may cost an order.
      client.throwIfAborted();
      this.#parts.signal.throwIfAborted();
      return work(this.#parts.signal);
    });
  }

  facts(): LoopFacts {
    return this.#facts;
  }

  async ended(): Promise<void> {
    const { signal } = this.#parts;
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    }
    await this.#tail;
    await this.#teller.ended();
  }

  #enqueue<Result>(work: () => Promise<Result>): Promise<Result> {
    const run = this.#tail.then(work);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  async #runOne(request: RunRequest, log: Log): Promise<RunReport> {
    const { signal, clock } = this.#parts;
    signal.throwIfAborted();
    this.#facts = { ...this.#facts, runningSince: clock.now() };
    try {
      const report = await this.#parts.reconcile({ request, log, signal, since: this.#since });
      // A rehearsal, or a command that asked for something there isn't, says nothing of how things are.
      if (request.isRehearsal || report.isUsageProblem) return report;
      this.#take(report, request);
      const { lastReport } = this.#facts;
      if (lastReport) this.#teller.tell(pictureOf(lastReport, clock.now()));
      return report;
    } finally {
      this.#facts = { ...this.#facts, runningSince: undefined };
    }
  }

  #take(report: RunReport, request: RunRequest): void {
    const { lastReport, wakeAt } = this.#facts;
    if (request.only === undefined) {
      this.#facts = { ...this.#facts, lastReport: report };
      this.#sleepUntil(report.nextAt);
      return;
    }
    // A run for one certificate changes what is known of that one alone.
    if (lastReport) this.#facts = { ...this.#facts, lastReport: mergeReports(lastReport, report) };
    if (report.nextAt && (!wakeAt || report.nextAt < wakeAt)) this.#sleepUntil(report.nextAt);
  }

  #sleepUntil(wakeAt: Date | undefined): void {
    const { clock, signal } = this.#parts;
    this.#timer.abort();
    this.#facts = { ...this.#facts, wakeAt };
    if (!wakeAt) return;
    this.#timer = new AbortController();
    const pauseMs = Math.max(SHORTEST_PAUSE_MS, wakeAt.getTime() - clock.now().getTime());
    clock.sleep(pauseMs, AbortSignal.any([this.#timer.signal, signal])).then(
      () => this.request("timer"),
      () => undefined, // another run has set another moment, or the loop has ended
    );
  }
}
