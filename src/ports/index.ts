export type { Kind, SettingReader, SettingRow } from "./kind.ts";
export type { DeployWay, WayWithoutEngine } from "./deploy-way.ts";
export type { DockerEngine } from "./docker-engine.ts";
export type { CaaLookup, CaaRecord, DnsLookup, HostFinder, HostLookup, TxtLookup } from "./dns.ts";
export type { HttpExchange, HttpReply, HttpRequest, ProxyFailure, TooLong } from "./http.ts";
export type { LocalCommand, LocalResult } from "./process.ts";
export type {
  ChallengeConfs,
  ChallengeKind,
  ChallengeKinds,
  ChallengeProof,
  ChallengeSolver,
  ChallengeSolvers,
  ChallengeTools,
  ConfAbout,
  ConfText,
  FromConf,
  IgnoredOption,
  FrontDoor,
  SelfCheckFinding,
} from "./challenge.ts";
export type { Clock } from "./clock.ts";
export { LOG_EVENTS, teeLog, type Log, type LogEvent, type LogFields, type LogLevel } from "./log.ts";
export type { Notebook, OpenNotebook } from "./notebook.ts";
export type { Tools } from "./tools.ts";
