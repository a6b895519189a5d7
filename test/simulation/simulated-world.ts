import type { HttpRequest, LogEvent, LogFields } from "../../src/ports/index.ts";
import type { RunRequest, RunReport } from "../../src/reconcile/index.ts";
import { ActiveFaults } from "./active-faults.ts";
import { createDraws, type Draws } from "./draws.ts";
import { Doom } from "./doom.ts";
import { drawFaultPlan, type Fault, type Incident } from "./fault-plan.ts";
import { type LineParts, openLine } from "./faulty-line.ts";
import { DailyCount, type Figures } from "./figures.ts";
import { Hindrances, hindrancesInDoubt } from "./hindrances.ts";
import { Judge } from "./judge.ts";
import { OperatorsHand } from "./operators-hand.ts";
import { OrderWatch } from "./order-watch.ts";
import { ProofBoard } from "./proof-board.ts";
import {
  changeNames,
  drawNames,
  FALLBACK,
  lineageOf,
  numberOf,
  policyDuring,
  policyOf,
  PRODUCTION,
  STAGING,
} from "./settings.ts";
import { SidecarProcess } from "./sidecar-process.ts";
import { SimulatedCa } from "./simulated-ca.ts";
import { SimulatedTarget, type TargetCall } from "./simulated-target.ts";
import { isWrite, needsRoom } from "../support/sync-files.ts";
import { Timeline, timelineLog } from "./timeline.ts";
import { type Mortal, VirtualTime } from "./virtual-time.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// After these `live/` may show something else than before.
const CHANGES: readonly LogEvent[] = ["lineage.repaired", "lineage.restored", "lineage.shown"];

// Docker gives a container ten seconds after SIGTERM; the daemon takes less.
const STOPS_WITHIN_MS = 1500;

// The schedule finds what a timer can't know of: a clock that was set, files that have changed.
const SCHEDULE_MS = 30 * MINUTE;

// Half of what Let's Encrypt takes from one address in two minutes.
const MOST_REQUESTS_A_DAY = 15_000;

/** How a world is. */
export type WorldOptions = {
  readonly seed: number;
  readonly root: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly lifeMs: number;
  readonly lineages: number;
  readonly hasFallback: boolean;
  readonly watch?: ((line: string) => void) | undefined;
};

/** One sidecar, its disk, its CAs and its target, and everything that happens to them, on virtual time. */
export class SimulatedWorld {
  readonly #options: WorldOptions;
  readonly #time: VirtualTime;
  readonly #timeline: Timeline;
  readonly #hindrances = new Hindrances();
  readonly #deployHindrances = new Hindrances();
  readonly #faults = new ActiveFaults();
  readonly #proofs = new ProofBoard();
  readonly #target: SimulatedTarget;
  readonly #hand: OperatorsHand;
  readonly #cas: readonly SimulatedCa[];
  readonly #primary: SimulatedCa;
  readonly #judge: Judge;
  readonly #orders: OrderWatch;
  readonly #requests = new DailyCount();
  readonly #line: LineParts;
  #names: readonly (readonly string[])[];
  #process: SidecarProcess | undefined;
  readonly #doom = new Doom();
  #starts = 0;
  #deaths = 0;
  #runs = 0;

  constructor(options: WorldOptions) {
    const { seed, root, startMs, lineages, watch } = options;
    this.#options = options;
    this.#time = new VirtualTime(startMs);
    this.#timeline = new Timeline(() => this.#time.nowMs(), watch ? { watch } : {});
    this.#target = new SimulatedTarget(root);
    this.#target.refusal = (lineage, { validFromDate }) =>
      this.#faults.refusal(numberOf(lineage), validFromDate.getTime());
    this.#hand = new OperatorsHand(root);
    this.#names = Array.from({ length: lineages }, (_, number) =>
      drawNames(createDraws(seed, `names ${number}`), number),
    );
    this.#primary = this.#createCa(PRODUCTION);
    this.#cas = [this.#primary, this.#createCa(STAGING), this.#createCa(FALLBACK)];
    const common = this.#common();
    const target = this.#target;
    this.#judge = new Judge({ ...common, root, numberOf, servedOf: (lineage) => target.servedOf(lineage) });
    this.#orders = new OrderWatch({
      ...common,
      judge: this.#judge,
      primary: this.#primary,
      trouble: () => this.#faults.trouble(),
      canRemember: () => !this.#faults.has("disk-full"),
    });
    this.#line = {
      time: this.#time,
      cas: this.#cas,
      draws: createDraws(seed, "line"),
      active: () => this.#faults.all(),
      onRequest: (owner, request) => this.#onRequest(owner, request),
      onPatience: (owner, patience, request) => this.#orders.onPatience(owner, patience, request),
    };
  }

  /** Lets it all happen; ends at the first problem, or at the end. */
  async live(): Promise<void> {
    const { seed, startMs, endMs, lifeMs, lineages } = this.#options;
    const plan = drawFaultPlan(seed, { startMs, endMs, lifeMs, lineages });
    this.#faults.schedule(plan.episodes, this.#common(), (fault, isBeginning) => this.#onFault(fault, isBeginning));
    for (const { atMs, incident } of plan.incidents) {
      if (incident.kind === "live-restored") this.#time.at(atMs - DAY, () => this.#hand.backUp(incident.how));
      this.#time.at(atMs, () => this.#befall(incident));
    }
    this.#judge.begin(this.#names.map((_, number) => lineageOf(number)));
    this.#spawn();
    this.#checkNowAndThen(createDraws(seed, "schedule"));
    await this.#time.runUntil(endMs, () => this.#judge.problems.length > 0);
    this.#judge.look();
    this.#process?.kill();
  }

  problems(): readonly string[] {
    return this.#judge.problems;
  }

  timeline(): readonly string[] {
    return this.#timeline.last();
  }

  figures(): Omit<Figures, "cpuMs"> {
    const placed = this.#cas.filter(({ directoryUrl }) => directoryUrl !== STAGING).map(({ orders }) => orders.placed);
    return {
      days: (this.#time.nowMs() - this.#options.startMs) / DAY,
      versions: this.#judge.versions,
      orders: placed.reduce((sum, count) => sum + count, 0),
      tries: this.#orders.tries.total,
      triesDuring: this.#orders.triesDuring,
      mostTriesADay: this.#orders.tries.most,
      requests: this.#requests.total,
      mostRequestsADay: this.#requests.most,
      lapses: this.#judge.lapses,
      lapsedMs: this.#judge.lapsedMs,
      overrides: this.#orders.overrides,
      deaths: this.#deaths,
      runs: this.#runs,
    };
  }

  #common() {
    const [hindrances, deployHindrances] = [this.#hindrances, this.#deployHindrances];
    return { time: this.#time, timeline: this.#timeline, hindrances, deployHindrances };
  }

  #createCa(directoryUrl: string): SimulatedCa {
    const { seed, startMs, lifeMs } = this.#options;
    const draws = createDraws(seed, directoryUrl);
    const conditions = {
      refusedProof: (name: string) => {
        const fault = this.#faults.of("proof").find(({ lineage }) => lineage === numberOf(name));
        return fault && { status: 400, type: fault.type, detail: `${name}: ${fault.type} trouble` };
      },
      shownProof: (token: string) => this.#proofs.shown(token),
      decisionMs: () => (this.#faults.has("slow") ? 20 * MINUTE : draws.spread(20, 2000)),
    };
    const kind = directoryUrl === PRODUCTION ? "production" : "staging";
    return new SimulatedCa({ directoryUrl, kind, startMs, lifeMs, draws, conditions });
  }

  #onFault(fault: Fault, isBeginning: boolean): void {
    this.#primary.hasRenewalInfo = !this.#faults.of("renewal-info").some(({ how }) => how === "unsupported");
    if (fault.kind === "stopped") return isBeginning ? this.#stop() : this.#spawn();
    if (isBeginning && (fault.kind === "conf-spoiled" || fault.kind === "wrong-setting")) this.#noteDoubt();
    if (fault.kind === "wrong-setting") return this.#restart();
    if (fault.kind === "conf-spoiled") return isBeginning ? this.#hand.spoil(fault) : this.#hand.mend(fault);
    if (fault.kind !== "clock-behind") return;
    this.#orders.forgetTold();
    this.#checkSoon();
  }

  #noteDoubt(): void {
    const lineages = this.#names.map((_, number) => number);
    const isOnDisk = (number: number) => this.#judge.current(lineageOf(number)) !== undefined;
    for (const doubt of hindrancesInDoubt(this.#faults.all(), { lineages, isOnDisk, nowMs: this.#time.nowMs() })) {
      this.#hindrances.add(doubt);
      this.#deployHindrances.add(doubt);
    }
  }

  #behindMs(): number {
    return Math.max(0, ...this.#faults.of("clock-behind").map(({ byMs }) => byMs));
  }

  #checkSoon(): void {
    this.#time.at(this.#time.nowMs() + SCHEDULE_MS, () => this.#process?.check());
  }

  #befall(incident: Incident): void {
    this.#timeline.tell(() => `INCIDENT ${JSON.stringify(incident)}`);
    const nowMs = this.#time.nowMs();
    switch (incident.kind) {
      case "death":
        return this.#doom.set(incident);
      case "mass-revocation":
        return this.#primary.registry.revokeAll({ start: incident.startMs, end: incident.endMs }, nowMs);
      case "accounts-dropped":
        return this.#primary.dropAccounts(incident.how);
      case "nonces-forgotten":
        return this.#primary.forgetNonces();
      case "names-changed":
        this.#names = this.#names.map((names, number) => (number === incident.lineage ? changeNames(names) : names));
        return this.#restart();
      case "live-restored":
        if (!this.#hand.restore()) return;
        this.#hindrances.add({ fromMs: nowMs - DAY, toMs: nowMs, why: "restored" });
        this.#deployHindrances.add({ fromMs: nowMs - DAY, toMs: nowMs, why: "restored" });
        this.#judge.look();
        return this.#checkSoon();
      case "command":
        for (let index = 0; index < incident.times; index += 1) {
          this.#time.at(nowMs + index * incident.everyMs, () => this.#type(incident.what));
        }
    }
  }

  #restart(): void {
    this.#stop();
    this.#time.at(this.#time.nowMs() + 5000, () => this.#spawn());
  }

  #type(what: "plain" | "force" | "dry-run"): void {
    this.#timeline.tell(() => `COMMAND update-cert ${what}`);
    this.#process?.command({ isForced: what === "force", isRehearsal: what === "dry-run" });
  }

  // The daemon wakes by itself when something is due; the schedule only has to be there.
  #checkNowAndThen(draws: Draws): void {
    this.#time.at(this.#time.nowMs() + draws.between(DAY, 7 * DAY), () => {
      this.#process?.check();
      this.#checkNowAndThen(draws);
    });
  }

  #spawn(): void {
    if (this.#faults.has("stopped") || (this.#process && !this.#process.isDead)) return;
    this.#starts += 1;
    const { root, seed, hasFallback } = this.#options;
    const process = new SidecarProcess({
      root,
      time: this.#time,
      policy: policyDuring(this.#faults.of("wrong-setting"), policyOf(this.#names, hasFallback)),
      random: createDraws(seed, `process ${this.#starts}`).next,
      solver: this.#proofs,
      targets: (owner) => this.#target.seenBy((call) => this.#onTarget(owner, call)),
      log: timelineLog(this.#timeline, (event, fields) => this.#hear(event, fields)),
      behindMs: () => this.#behindMs(),
      openLine: (owner) => openLine(this.#line, owner),
      onDisk: (owner, call) => this.#onDisk(owner, call),
      onTry: (request) => this.#orders.onTry(request),
      onReport: (report, request) => this.#onReport(report, request),
    });
    this.#process = process;
    this.#doom.tellRunEnded();
    process.start().catch((thrown: unknown) => this.#judge.report(`the daemon didn't start: ${String(thrown)}`));
  }

  #stop(): void {
    const process = this.#process;
    process?.stop();
    this.#time.at(this.#time.nowMs() + STOPS_WITHIN_MS, () => process?.kill());
  }

  #hear(event: LogEvent, fields: LogFields): void {
    this.#orders.hear(event, fields);
    if (CHANGES.includes(event)) this.#judge.look();
  }

  #onTarget(owner: SidecarProcess, call: TargetCall): Promise<never> | undefined {
    if (owner.isDead) return new Promise(() => undefined);
    return this.#doom.strikesAtTarget(call) ? this.#die(owner, call) : undefined;
  }

  #onDisk(owner: SidecarProcess, call: string): Promise<never> | undefined {
    if (owner.isDead) return new Promise(() => undefined);
    if (isWrite(call) && this.#doom.strikesOnDisk()) return this.#die(owner, call);
    if (!this.#faults.has("disk-full") || !needsRoom(call)) return undefined;
    const error = new Error(`ENOSPC: no space left on device, ${call}`);
    return Promise.reject(Object.assign(error, { code: "ENOSPC", syscall: call.split(" ")[0] }));
  }

  #onRequest(owner: Mortal, request: HttpRequest): Promise<never> | undefined {
    if (owner.isDead) return new Promise(() => undefined);
    const requestsToday = this.#requests.add(this.#time.nowMs());
    if (requestsToday > MOST_REQUESTS_A_DAY) this.#judge.report(`${requestsToday} requests in a day`);
    this.#orders.onRequest(owner, request);
    return this.#doom.strikesAtRequest() && this.#process ? this.#die(this.#process, request.url) : undefined;
  }

  #die(process: SidecarProcess, where: string): Promise<never> {
    const downMs = this.#doom.lift();
    const nowMs = this.#time.nowMs();
    this.#deaths += 1;
    this.#timeline.tell(() => `DEATH at ${where.replace(this.#options.root, "")}`);
    process.kill();
    const down = { fromMs: nowMs, toMs: nowMs + downMs, why: "down" };
    this.#hindrances.add(down);
    this.#deployHindrances.add(down);
    this.#time.at(nowMs, () => this.#judge.look());
    this.#time.at(nowMs + downMs, () => this.#spawn());
    return new Promise(() => undefined);
  }

  #onReport(report: RunReport, request: RunRequest): void {
    this.#runs += 1;
    this.#doom.tellRunEnded();
    if (request.isRehearsal) return;
    const isNew = report.certificates.some(({ outcome }) => outcome === "issued" || outcome === "renewed");
    if (isNew || report.deploys.some(({ outcome }) => outcome === "deployed")) this.#judge.look();
    for (const { lineage, outcome } of report.deploys) {
      if (outcome === "served" || outcome === "deployed") this.#judge.lookServed(lineage);
    }
  }
}
