import { createCertificateAuthority } from "../../src/acme/index.ts";
import type { ChallengeSolver, Clock, HttpExchange, Log } from "../../src/ports/index.ts";
import {
  createLoop,
  mendTree,
  reconcile,
  type CertificateAuthority,
  type IssueRequest,
  type Loop,
  type Policy,
  type ReconcileParts,
  type RunRequest,
  type RunReport,
  type TargetSource,
} from "../../src/reconcile/index.ts";
import { createAccountStore, createLineageStore } from "../../src/store/index.ts";
import { syncFiles } from "../support/sync-files.ts";
import type { Mortal, VirtualTime } from "./virtual-time.ts";
import { CONFS } from "../support/challenges.ts";

/** What a simulated sidecar is made of. */
export type SidecarParts = {
  readonly root: string;
  readonly time: VirtualTime;
  readonly policy: Policy;
  readonly random: () => number;
  readonly solver: ChallengeSolver;
  readonly targets: (owner: SidecarProcess) => TargetSource;
  readonly log: Log;
  /** How far this machine's clock is behind, in milliseconds. */
  readonly behindMs: () => number;
  readonly openLine: (owner: Mortal) => HttpExchange;
  /** Called before each call on the disk; what it throws is the call's result. */
  readonly onDisk: (owner: SidecarProcess, call: string) => Promise<never> | undefined;
  /** Called with each request for a certificate, before the CA hears of it. */
  readonly onTry: (request: IssueRequest) => void;
  /** Called with the report of each run that finishes. */
  readonly onReport: (report: RunReport, request: RunRequest) => void;
};

/** One life of the daemon: what `main.ts` builds and starts, on virtual time; it may be killed at any moment. */
export class SidecarProcess implements Mortal {
  isDead = false;
  readonly #parts: SidecarParts;
  readonly #stop = new AbortController();
  readonly #closeFiles: () => void;
  readonly #reconcileParts: ReconcileParts;
  readonly #loop: Loop;

  constructor(parts: SidecarParts) {
    this.#parts = parts;
    const { root, log, time } = parts;
    const { fs, closeAll } = syncFiles((call) => parts.onDisk(this, call));
    this.#closeFiles = closeAll;
    const clock: Clock = {
      now: () => new Date(time.nowMs() - parts.behindMs()),
      sleep: (ms, signal) => time.sleep(ms, this, signal),
    };
    this.#reconcileParts = {
      ca: this.#authority(clock, createAccountStore({ root, fs })),
      store: createLineageStore({ root, challenges: CONFS, log, fs }),
      targets: parts.targets(this),
      storage: { inspect: async () => ({ kind: "lasting" }) },
      clock,
      random: parts.random,
      policy: parts.policy,
      mayAct: async () => true,
      servedWithinMs: 5000,
    };
    this.#loop = createLoop({
      reconcile: async (run) => {
        const report = await reconcile(this.#reconcileParts, run);
        parts.onReport(report, run.request);
        return report;
      },
      clock,
      log,
      signal: this.#stop.signal,
    });
  }

  async start(): Promise<void> {
    await mendTree(this.#reconcileParts, this.#parts.log);
    if (!this.#stop.signal.aborted) this.#loop.request("start");
  }

  /** What the schedule asks for. */
  check(): void {
    this.#loop.request("schedule");
  }

  /** One `update-cert`. */
  command(request: Omit<RunRequest, "trigger">): void {
    const client = new AbortController().signal;
    const run = this.#loop.command({ trigger: "command", ...request }, this.#parts.log, client);
    run.catch(() => undefined); // the daemon is being stopped
  }

  /** SIGTERM: what is under way is broken off. */
  stop(): void {
    this.#stop.abort(new Error("the daemon is being stopped"));
  }

  /** SIGKILL: nothing of it is done any more. */
  kill(): void {
    this.isDead = true;
    this.#closeFiles();
    this.#parts.time.bury();
  }

  #authority(clock: Clock, accounts: ReturnType<typeof createAccountStore>): CertificateAuthority {
    const { time, solver, openLine, onTry } = this.#parts;
    const ca = createCertificateAuthority({
      accounts,
      solverFor: () => solver,
      clock,
      lookUpCaa: async () => [],
      http: openLine(this),
    });
    return {
      issue: (...call) => {
        onTry(call[0]);
        return time.flow(this, () => ca.issue(...call), { isAtDesk: true });
      },
      collect: (...call) => time.flow(this, () => ca.collect(...call), { isAtDesk: true }),
      renewalInfo: (...call) => time.flow(this, () => ca.renewalInfo(...call)),
      isAnswering: (...call) => time.flow(this, () => ca.isAnswering(...call)),
      openAccount: (...call) => time.flow(this, () => ca.openAccount(...call)),
      changeAccountKey: (...call) => time.flow(this, () => ca.changeAccountKey(...call)),
      clockAheadMs: () => ca.clockAheadMs(),
    };
  }
}
