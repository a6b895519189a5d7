export type { Account, AccountChoice, AccountKey, AccountStore, KeyChange, Registration } from "./account-store.ts";
export { changeAccountKey } from "./account-key.ts";
export { freshLedger, type CaLedger, type CaWait, type Readied } from "./issue/ca/ledger.ts";
export type {
  AccountRequest,
  CertificateAuthority,
  ExternalAccount,
  CollectRequest,
  IssuedCertificate,
  OpenOrder,
  IssueRequest,
} from "./issue/certificate-authority.ts";
export type {
  CertificatePair,
  Found,
  MissingTarget,
  ServedCertificate,
  ServedFinding,
  Target,
  TargetSource,
  Version,
  Whole,
} from "./deploy/target.ts";
export { resolveDesired, type DesiredCertificate } from "./issue/desired.ts";
export { ConfigurationRejectedError } from "./errors.ts";
export { assessHealth, type Health } from "./health.ts";
export { inspect, type InspectedCertificate, type Inspection } from "./inspect.ts";
export { decideIssue } from "./issue/decision.ts";
export { FRESH_STATE } from "./lineage-state.ts";
export type { DeployState, LineageState, Try } from "./lineage-state.ts";
export type {
  LineageSettings,
  LineageStore,
  LineageVersion,
  NewVersion,
  Recovery,
  ServedLineage,
  StoredLineage,
  StoredOrder,
  StrayFile,
} from "./lineage-store.ts";
export type { RunListener } from "./listeners.ts";
export { createLoop, type Loop } from "./loop.ts";
export { automaticRun, type Policy, type RunRequest } from "./policy.ts";
export { mendTree, reconcile } from "./reconcile.ts";
export type { ReconcileParts, Run } from "./run.ts";
export { isGood, isReached, type Picture, type Problem } from "./picture.ts";
export type { StorageFinding, StorageProbe } from "./storage.ts";
export type { CertificateReport, DeployReport, RunReport } from "./run-report.ts";
export { attemptsOf, type Attempts, type CaFailure } from "./tries.ts";
