import { AsyncLocalStorage } from "node:async_hooks";

/** A process of the simulation: once it is dead, nothing that it waits for comes any more. */
export type Mortal = { readonly isDead: boolean };

type Event = { readonly at: number; readonly serial: number; act: (() => void) | undefined };

/** A call that may use Node's thread pool (keys, signatures) between its waits; `waiting` counts the waits it is in. */
type Flow = { readonly owner: Mortal; waiting: number; isAtDesk: boolean };

// Only a wait for each other's account can leave two calls without a wait of their own; what else takes so long is stuck.
const HANDOVER_MS = 100;
const STUCK_MS = 60_000;

/**
 * Time that stands still while anything is computed, and then jumps to the next moment that somebody waits for. The order
 * of events depends on nothing but what was asked for, so that a run can be repeated.
 */
export class VirtualTime {
  #nowMs: number;
  #serial = 0;
  readonly #queue: Event[] = [];
  readonly #flows = new Set<Flow>();
  readonly #current = new AsyncLocalStorage<Flow>();
  #progress = Promise.withResolvers<void>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `act` at a moment, at once after what is under way when that has passed; gives a way to call it off. */
  at(ms: number, act: () => void): () => void {
    const event: Event = { at: Math.max(Math.ceil(ms), this.#nowMs), serial: (this.#serial += 1), act };
    push(this.#queue, event);
    return () => {
      event.act = undefined;
    };
  }

  /** Waits for a time; never comes back to the dead. Rejects with the signal's reason when that aborts. */
  sleep(ms: number, owner: Mortal, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (owner.isDead) return new Promise(() => undefined);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const flow = this.#current.getStore();
    if (flow) flow.waiting += 1;
    this.#tellProgress();
    const end = () => {
      if (flow) flow.waiting -= 1;
      signal?.removeEventListener("abort", onAbort);
    };
    const callOff = this.at(this.#nowMs + Math.max(0, ms), () => {
      end();
      if (!owner.isDead) resolve();
    });
    const onAbort = () => {
      callOff();
      end();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", onAbort);
    return promise;
  }

  /** Runs a call that computes in Node's thread pool: time stands still until it waits or ends. */
  async flow<Result>(owner: Mortal, call: () => Promise<Result>, { isAtDesk = false } = {}): Promise<Result> {
    const flow: Flow = { owner, waiting: 0, isAtDesk };
    this.#flows.add(flow);
    try {
      return await this.#current.run(flow, call);
    } finally {
      this.#flows.delete(flow);
      this.#tellProgress();
    }
  }

  /** The call under way may be making an account now, which other calls then wait for; or no longer. */
  tellAtDesk(isAtDesk: boolean): void {
    const flow = this.#current.getStore();
    if (flow) flow.isAtDesk = isAtDesk;
  }

  /** Lets time pass until `endMs`, or until `isOver` says so; everything that is due by then has been done. */
  async runUntil(endMs: number, isOver: () => boolean = () => false): Promise<void> {
    await this.#settle();
    while (!isOver()) {
      const event = this.#queue[0];
      if (event === undefined || event.at > endMs) break;
      pop(this.#queue);
      if (event.act === undefined) continue;
      this.#nowMs = event.at;
      event.act();
      await this.#settle();
    }
    if (!isOver()) this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  async #settle(): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      await new Promise(setImmediate);
      for (const flow of this.#flows) if (flow.owner.isDead) this.#flows.delete(flow);
      if ([...this.#flows].every(({ waiting }) => waiting > 0)) return;
      const isHandover = [...this.#flows].some(({ waiting, isAtDesk }) => waiting > 0 && isAtDesk);
      const moved = await this.#awaitProgress(isHandover ? HANDOVER_MS : STUCK_MS);
      if (!moved && isHandover) return;
      if (performance.now() - startedAt > STUCK_MS) throw new Error("the simulation is stuck: a call never ends");
    }
  }

  async #awaitProgress(withinMs: number): Promise<boolean> {
    this.#progress = Promise.withResolvers<void>();
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), withinMs);
    const moved = await Promise.race([this.#progress.promise.then(() => true), late]);
    clearTimeout(timer);
    return moved;
  }

  /** To be called when somebody has died. */
  bury(): void {
    this.#tellProgress();
  }

  #tellProgress(): void {
    this.#progress.resolve();
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.serial < b.serial);
}

// A binary heap, earliest first.
function push(queue: Event[], event: Event): void {
  let index = queue.length;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = queue[above];
    if (parent === undefined || !isBefore(event, parent)) break;
    queue[index] = parent;
    index = above;
  }
  queue[index] = event;
}

function pop(queue: Event[]): void {
  const last = queue.pop();
  if (last === undefined || queue.length === 0) return;
  let index = 0;
  for (;;) {
    const left = queue[2 * index + 1];
    const right = queue[2 * index + 2];
    const child = right && left && isBefore(right, left) ? right : left;
    if (child === undefined || isBefore(last, child)) break;
    queue[index] = child;
    index = child === left ? 2 * index + 1 : 2 * index + 2;
  }
  queue[index] = last;
}
