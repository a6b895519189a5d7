import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseIdentifier } from "../../src/certificate/index.ts";
import {
  automaticRun,
  createLoop,
  mendTree,
  reconcile,
  type Found,
  type MissingTarget,
  type Policy,
  type ReconcileParts,
  type Run,
  type RunRequest,
  type RunReport,
  type StorageFinding,
  type Target,
  type TargetSource,
} from "../../src/reconcile/index.ts";
import { createLineageStore } from "../../src/store/index.ts";
import { aPolicy } from "./a-policy.ts";
import { collectLog } from "./collected-log.ts";
import { listTree } from "./lineage-tree.ts";
import { steppedFiles } from "./stepped-files.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { TestAuthority } from "./test-authority.ts";
import { TestTarget } from "./test-target.ts";
import { CONFS } from "./challenges.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export { LETS_ENCRYPT, PRODUCTION, STAGING } from "./a-policy.ts";
export { CaFailure, failing, type PlacedOrder } from "./test-authority.ts";

export type StageOptions = {
  /** Certificates as CERTBOT_DOMAIN has them. */
  readonly domains?: string;
  readonly lifeMs?: number;
  readonly random?: () => number;
};

/** The real reconcile, store and loop on a folder of their own; a clock that jumps, a CA and one target that obey the test. */
export async function reconcileStage(options: StageOptions = {}): Promise<ReconcileStage> {
  return new ReconcileStage(await temporaryFolder(), options);
}

export class ReconcileStage {
  readonly root: string;
  readonly ca: TestAuthority;
  readonly nginx: TestTarget;
  readonly log = collectLog();
  targets: Target[];
  missing: MissingTarget[] = [];
  off: Found["off"] = [];
  /** The search for targets. */
  find: TargetSource["find"] = async () => ({ targets: this.targets, missing: this.missing, off: this.off });
  policy: Policy;
  storage: StorageFinding = { kind: "lasting" };
  /** Whether the lock on the folder is ours. */
  isHolder = true;
  /** Called before each call on the disk; what it throws is the call's result. */
  onDisk: (call: string) => void = () => undefined;
  #nowMs = Date.parse("2026-06-01T00:00:00Z");
  readonly #random: () => number;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  constructor(root: string, { domains = "a.test", lifeMs = 90 * DAY, random = () => 0.5 }: StageOptions) {
    this.root = root;
    this.#random = random;
    this.ca = new TestAuthority(() => this.now(), lifeMs);
    this.nginx = new TestTarget(root);
    this.targets = [this.nginx];
    this.policy = aPolicy();
    this.set(domains);
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  /** Moves the clock on. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Changes the settings: CERTBOT_DOMAIN, and more. */
  set(domains: string, more: Partial<Policy> = {}): void {
    const lists = domains.split(";").map((list) => list.split(",").map(parseIdentifier));
    const wanted = lists.map((identifiers) => ({ name: identifiers[0]?.value ?? "", identifiers }));
    const policy = { ...this.policy, wanted, ...more };
    this.policy = { ...policy, settingsDigest: `${domains} ${policy.directoryUrl}` };
  }

  /** The parts of a process that has just started: nothing is remembered but what is on disk. */
  parts(): ReconcileParts {
    const fs = steppedFiles((_, call) => this.onDisk(call));
    return {
      ca: this.ca,
      store: createLineageStore({ root: this.root, challenges: CONFS, log: this.log, fs }),
      targets: { find: (signal) => this.find(signal) },
      clock: { now: () => this.now(), sleep: (ms, signal) => this.sleep(ms, signal) },
      random: this.#random,
      policy: this.policy,
      storage: { inspect: async () => this.storage },
      mayAct: async () => this.isHolder,
      servedWithinMs: 5000,
    };
  }

  /** Resolves when so much time has passed. All who sleep do so at once: when nothing else goes on, time passes to the next waking. */
  sleep(ms: number, signal = new AbortController().signal): Promise<void> {
    signal.throwIfAborted();
    const sleeper = Promise.withResolvers<void>();
    const atMs = this.#nowMs + Math.max(0, ms);
    const mine = { atMs, wake: sleeper.resolve };
    this.#sleepers.push(mine);
    signal.addEventListener("abort", () => {
      this.#sleepers = this.#sleepers.filter((one) => one !== mine);
      sleeper.reject(signal.reason);
    });
    setImmediate(() => this.#wakeNext());
    return sleeper.promise;
  }

  #wakeNext(): void {
    const [next] = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs);
    if (!next) return;
    this.#sleepers = this.#sleepers.filter((one) => one !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.wake();
  }

  /** One run by the schedule, in a process that has just started. */
  run(request: Partial<RunRequest> = {}, signal = new AbortController().signal): Promise<RunReport> {
    return reconcile(this.parts(), { request: { ...automaticRun("schedule"), ...request }, log: this.log, signal });
  }

  /** One `update-cert`. */
  command(request: Partial<RunRequest> = {}): Promise<RunReport> {
    return this.run({ trigger: "command", ...request });
  }

  /** A daemon that starts now and lives for so long, with a check each half hour and when its timer says so; its reports. */
  async live(ms: number, { everyMs = 30 * MINUTE } = {}): Promise<RunReport[]> {
    const endMs = this.#nowMs + ms;
    const stop = new AbortController();
    const reports: RunReport[] = [];
    const parts = this.parts();
    let wake: { atMs: number; resolve: () => void } | undefined;
    let finished = Promise.withResolvers<void>();
    const loop = createLoop({
      reconcile: async (run: Run) => {
        const report = await reconcile(parts, run);
        reports.push(report);
        setImmediate(() => finished.resolve());
        return report;
      },
      clock: {
        now: () => this.now(),
        sleep: (pauseMs, signal) =>
          new Promise((resolve, reject) => {
            const mine = { atMs: this.#nowMs + pauseMs, resolve };
            wake = mine;
            signal.addEventListener("abort", () => {
              if (wake === mine) wake = undefined;
              reject(signal.reason);
            });
          }),
      },
      log: this.log,
      signal: stop.signal,
    });
    await mendTree(parts, this.log);
    loop.request("start");
    await finished.promise;
    for (let checkMs = this.#nowMs + everyMs; ;) {
      const nextMs = Math.min(checkMs, wake?.atMs ?? Number.POSITIVE_INFINITY);
      if (nextMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, nextMs);
      finished = Promise.withResolvers<void>();
      if (nextMs === checkMs) {
        checkMs += everyMs;
        loop.request("schedule");
      } else wake?.resolve();
      await finished.promise;
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
    stop.abort();
    await loop.ended();
    return reports;
  }

  /** Each lineage of the list that servers read, with its names. */
  async list(): Promise<string[]> {
    const lines = (await readFile(join(this.root, "sidecar", "certificates"), "utf8")).split("\n").filter(Boolean);
    return lines.map((line) => line.split(" ").toSpliced(1, 2).join(" "));
  }

  /** One word for everything on disk: paths, link targets, contents. */
  async treeHash(): Promise<string> {
    const hash = createHash("sha256");
    for (const line of await listTree(this.root)) {
      hash.update(`${line}\n`);
      if (line.includes(" -> ")) continue;
      hash.update(await readFile(join(this.root, line)).catch(() => "a folder"));
    }
    return hash.digest("hex");
  }

  /** Minutes between the orders from `first` on. */
  gaps(first = 0): number[] {
    const times = this.ca.orders.slice(first).map(({ at }) => at.getTime());
    return times.slice(1).map((at, index) => Math.round((at - (times[index] ?? 0)) / MINUTE));
  }

  /** The lines that were told of an event. */
  told(event: string): readonly Record<string, unknown>[] {
    return this.log.lines.filter((line) => line.event === event).map(({ fields }) => fields);
  }
}

/** Each certificate of a report as `lineage outcome [failure code]`. */
export function outcomes({ certificates }: RunReport): string[] {
  return certificates.map(({ lineage, outcome, failure }) =>
    [lineage, outcome, failure?.code].filter(Boolean).join(" "),
  );
}

/** Each deploy of a report as `target lineage outcome`. */
export function deploys(report: RunReport): string[] {
  return report.deploys.map(({ target, lineage, outcome }) => `${target} ${lineage} ${outcome}`);
}

/** The last one of a list that has any. */
export function last<Item>(items: readonly Item[]): Item {
  const item = items.at(-1);
  if (item === undefined) throw new Error("there is none");
  return item;
}
