import type { Clock, Log } from "../ports/index.ts";
import type { CaLedgers } from "./issue/ca/ledger.ts";
import type { CaProbes } from "./issue/ca/probe.ts";
import type { CertificateAuthority } from "./issue/certificate-authority.ts";
import type { TargetSource } from "./deploy/target.ts";
import type { DesiredCertificate } from "./issue/desired.ts";
import type { LineageStore } from "./lineage-store.ts";
import type { Policy, RunRequest } from "./policy.ts";
import type { StorageProbe } from "./storage.ts";

/** What reconcile works with; built once by `main.ts`. */
export type ReconcileParts = {
  readonly ca: CertificateAuthority;
  readonly store: LineageStore;
  readonly targets: TargetSource;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly policy: Policy;
  readonly storage: StorageProbe;
  /** Asked before each order: whether the lock is still ours. Never rejects. */
  readonly mayAct: () => Promise<boolean>;
  /** How long a reloaded target may take until it presents the new certificate, in milliseconds. */
  readonly servedWithinMs: number;
};

/** What the steps of one run work with: beside the parts, what is remembered for as long as it lasts. */
export type StepParts = ReconcileParts & {
  readonly ledgers: CaLedgers;
  readonly probes: CaProbes;
  /** Gives what is to be called right before a version is put on disk. Throws OperatorError. */
  readonly owing: () => (desired: DesiredCertificate) => Promise<void>;
};

/** One run: where it tells what it does, and what stops it. */
export type Run = {
  readonly request: RunRequest;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** When the daemon that runs it began; left out where there is none. */
  readonly since?: Date | undefined;
};
