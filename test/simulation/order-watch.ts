import type { HttpRequest, LogEvent, LogFields } from "../../src/ports/index.ts";
import type { IssueRequest } from "../../src/reconcile/index.ts";
import { orderedNames, type Patience } from "./faulty-line.ts";
import { DailyCount } from "./figures.ts";
import type { Hindrances } from "./hindrances.ts";
import type { Judge } from "./judge.ts";
import { lineageOf, numberOf, PRODUCTION, STAGING } from "./settings.ts";
import type { SimulatedCa } from "./simulated-ca.ts";
import type { Timeline } from "./timeline.ts";
import type { Mortal, VirtualTime } from "./virtual-time.ts";

const HOUR = 3600_000;
const LAST_FRACTION = 1 / 20;

// A six-day certificate on its last day may be tried each four minutes for an hour or two, as the retry plan has it.
const MOST_TRIES_A_DAY = 100;

/** What an order watch works with. */
export type OrderWatchParts = {
  readonly time: VirtualTime;
  readonly timeline: Timeline;
  readonly hindrances: Hindrances;
  readonly judge: Judge;
  readonly primary: SimulatedCa;
  /** What is wrong at the moment: the kind of the fault that would hinder an order. */
  readonly trouble: () => string;
  /** Whether the sidecar can remember what it is told. */
  readonly canRemember: () => boolean;
};

type Told = Patience & { readonly names: string | undefined; readonly owner: Mortal; readonly atMs: number };

/** Watches what is ordered: how often, whether the CA had asked for patience, and whether a limit of the CA's was broken. */
export class OrderWatch {
  readonly tries = new DailyCount();
  readonly triesDuring: Record<string, number> = {};
  /** Orders beyond a limit that the design allows: the certificate was about to lapse. */
  overrides = 0;
  readonly #parts: OrderWatchParts;
  readonly #overriddenAt = new Map<string, number>();
  readonly #begunAt = new Map<string, number>();
  #told: Told[] = [];
  #breaches = 0;

  constructor(parts: OrderWatchParts) {
    this.#parts = parts;
  }

  /** A certificate is asked for. */
  onTry({ lineage, account, replaces }: IssueRequest): void {
    if (account === "throw-away") return;
    const { time, timeline, trouble } = this.#parts;
    const cause = trouble();
    this.#begunAt.set(lineage, time.nowMs());
    const triesToday = this.tries.add(time.nowMs(), lineage);
    if (triesToday > MOST_TRIES_A_DAY) this.#parts.judge.report(`${lineage} was tried ${triesToday} times in a day`);
    this.triesDuring[cause] = (this.triesDuring[cause] ?? 0) + 1;
    timeline.tell(() => `TRY ${lineage} while ${cause} is wrong, to replace ${replaces ?? "nothing"}`);
  }

  /** A request goes out. Of a rehearsal nothing is kept, so the next one can't know what staging has said. */
  onRequest(owner: Mortal, request: HttpRequest): void {
    const names = orderedNames(request);
    if (!names || isAt(request, STAGING)) return;
    const nowMs = this.#parts.time.nowMs();
    const set = setOf(names);
    this.#told = this.#told.filter(({ untilMs }) => untilMs > nowMs);
    const begunAt = this.#begunAt.get(lineageOf(numberOf(names[0] ?? ""))) ?? 0;
    // One that was under way when another one was refused is on its way already.
    const held = this.#told.find(
      (told) =>
        told.owner === owner &&
        isAt(request, told.url) &&
        (told.names === set || (told.isForAll && told.atMs <= begunAt)),
    );
    if (!held) return;
    this.#parts.judge.report(
      `an order for ${set} in spite of the CA's word until ${new Date(held.untilMs).toISOString()}`,
    );
  }

  /** The CA has asked for patience in its answer to a request. */
  onPatience(owner: Mortal, patience: Patience, request: HttpRequest): void {
    const { time, hindrances, canRemember } = this.#parts;
    const names = orderedNames(request);
    const isForAll = patience.isForAll || names === undefined;
    if (isAt(request, PRODUCTION)) {
      const scope = isForAll ? {} : { lineage: numberOf(names?.[0] ?? "") };
      hindrances.add({ fromMs: time.nowMs(), toMs: patience.untilMs, why: "told to wait", ...scope });
    }
    if (request.method !== "POST" || !canRemember()) return;
    this.#told.push({ ...patience, isForAll, names: names && setOf(names), owner, atMs: time.nowMs() });
    this.#judgeBreaches();
  }

  /** By another clock nobody can tell any more until when to wait. */
  forgetTold(): void {
    this.#told = [];
  }

  /** The sidecar has told something. */
  hear(event: LogEvent, { lineage }: LogFields): void {
    if (event === "limit.overridden") this.#overriddenAt.set(String(lineage), this.#parts.time.nowMs());
  }

  #judgeBreaches(): void {
    const { primary, judge, time } = this.#parts;
    const { breaches } = primary.orders;
    for (const { limit, names } of breaches.slice(this.#breaches)) {
      const lineage = lineageOf(numberOf(names[0] ?? ""));
      const shown = judge.current(lineage);
      const isLast = shown && time.nowMs() > shown.notAfter - (shown.notAfter - shown.notBefore) * LAST_FRACTION;
      const isTold = time.nowMs() - (this.#overriddenAt.get(lineage) ?? 0) < HOUR;
      if (isLast && isTold) this.overrides += 1;
      else judge.report(`the limit "${limit}" was broken for ${names.join()}`);
    }
    this.#breaches = breaches.length;
  }
}

function isAt({ url }: HttpRequest, directoryUrl: string): boolean {
  return new URL(url).origin === new URL(directoryUrl).origin;
}

function setOf(names: readonly string[]): string {
  return [...names].sort().join();
}
