export type {
  Account,
  AccountStore,
  CertificateAuthority,
  ChallengeProof,
  ChallengeSolver,
  IssuedCertificate,
  IssueRequest,
  SelfCheckFinding,
} from "./certificate-authority.ts";
export type { Clock } from "./clock.ts";
export type {
  DeployTarget,
  FoundTargets,
  FrontDoor,
  ServedCertificate,
  ServedFinding,
  TargetFinder,
} from "./deploy-target.ts";
export { ConfigurationRejectedError } from "./errors.ts";
export { FRESH_STATE } from "./lineage-state.ts";
export type { AttemptState, DeployState, LineageState } from "./lineage-state.ts";
export type {
  LineageSettings,
  LineageStore,
  LineageVersion,
  NewVersion,
  Recovery,
  StoredLineage,
} from "./lineage-store.ts";
export { LOG_EVENTS, LOG_LEVELS, teeLog } from "./log.ts";
export type { Log, LogEvent, LogFields, LogLevel } from "./log.ts";
