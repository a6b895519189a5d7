import type { Failure, FailureOrigin, RenewalInfoState } from "../certificate/index.ts";
import type { AttemptState, CaFailure, DeployState, LineageState } from "../reconcile/index.ts";
import { type LeftOut, type LooseRecord, readRecord } from "./loose-record.ts";

const ORIGINS: readonly FailureOrigin[] = ["here", "proof", "ca-refused", "ca-failing", "ca-unreachable"];

/**
 * Reads a lineage's state. What makes no sense is left out and named in `leftOut`, so that no hand-edited line stops
 * renewals; the fields of older versions that this one doesn't have are passed over. Throws an Error when it is no state.
 */
export function parseState(text: string, leftOut: LeftOut): Required<LineageState> {
  const record = readRecord(text, leftOut);
  const issue = record.parsed("issue", parseAttempts);
  const renewalInfo = record.parsed("renewalInfo", parseRenewalInfo);
  return { schema: 1, issue: issue ?? { failures: 0 }, renewalInfo, deploy: parseDeploys(record) };
}

/** Reads a failure; undefined unless all of it is there. */
export function parseFailure(record: LooseRecord): Failure | undefined {
  const [code, message, remedy] = [record.text("code"), record.text("message"), record.text("remedy")];
  if (code === undefined || message === undefined || remedy === undefined) return undefined;
  return { code, message, remedy };
}

// Required: a field that is new in the type must be read here, or it would be lost at each load.
function parseAttempts(record: LooseRecord): Required<AttemptState> {
  const lastFailure = record.parsed("lastFailure", parseFailure);
  return {
    failures: record.count("failures") ?? (lastFailure ? 1 : 0),
    startedAt: record.instant("startedAt"),
    nextAttemptAt: record.instant("nextAttemptAt"),
    lastFailure,
    lastFailedAt: record.instant("lastFailedAt"),
    lastSuccessAt: record.instant("lastSuccessAt"),
    lastDirectoryUrl: record.text("lastDirectoryUrl"),
    atCa: parseCaFailures(record),
    lastNames: record.text("lastNames"),
    caFailingSince: record.instant("caFailingSince"),
    caFailures: record.count("caFailures"),
    isFallbackTried: record.flag("isFallbackTried"),
    fallback: record.parsed("fallback", parseFallback),
    putBack: record.text("putBack"),
    hastyRenewals: record.count("hastyRenewals"),
    settingsDigest: record.text("settingsDigest"),
  };
}

function parseCaFailures(record: LooseRecord): AttemptState["atCa"] {
  const failures = record.record("atCa");
  const known = failures?.names.map((url) => [url, failures.parsed(url, parseCaFailure)] as const) ?? [];
  return known.length === 0 ? undefined : Object.fromEntries(known.filter(([, failure]) => failure));
}

function parseCaFailure(record: LooseRecord): Required<CaFailure> | undefined {
  const [failedAt, origin] = [record.instant("failedAt"), record.oneOf("origin", ORIGINS)];
  if (failedAt === undefined || origin === undefined) return undefined;
  return { failedAt, origin, isSeenDown: record.flag("isSeenDown") };
}

function parseFallback(record: LooseRecord): AttemptState["fallback"] {
  const [at, first] = [record.text("at"), record.text("first")];
  return at === undefined || first === undefined ? undefined : { at, first };
}

function parseDeploys(record: LooseRecord): Record<string, DeployState> {
  const deploys = record.record("deploy");
  const targets = deploys?.names.map((target) => [target, deploys.parsed(target, parseDeploy)] as const) ?? [];
  return Object.fromEntries(targets.flatMap(([target, state]) => (state ? [[target, state]] : [])));
}

function parseDeploy(record: LooseRecord): Required<DeployState> {
  return {
    servedFingerprint: record.text("servedFingerprint"),
    servedAt: record.instant("servedAt"),
    failures: record.count("failures") ?? 0,
    nextAttemptAt: record.instant("nextAttemptAt"),
    lastFailure: record.parsed("lastFailure", parseFailure),
    triedFingerprint: record.text("triedFingerprint"),
  };
}

// Without the next moment to ask, all of it goes: the CA is asked at once then.
function parseRenewalInfo(record: LooseRecord): Required<RenewalInfoState> | undefined {
  const certificateId = record.text("certificateId");
  const askAgainAt = record.instant("askAgainAt");
  if (certificateId === undefined || askAgainAt === undefined) return undefined;
  return {
    certificateId,
    ...parseMoment(record),
    explanationUrl: record.text("explanationUrl"),
    askAgainAt,
    failures: record.count("failures") ?? 0,
    problem: record.text("problem"),
  };
}

// A moment is worth something only inside the window that it was drawn in.
function parseMoment(record: LooseRecord): Required<Pick<RenewalInfoState, "window" | "renewAt">> {
  const renewAt = record.instant("renewAt");
  const window = record.parsed("window", (inner) => {
    const [startAt, endAt] = [inner.instant("startAt"), inner.instant("endAt")];
    if (startAt === undefined || endAt === undefined || renewAt === undefined) return undefined;
    const [start, end, moment] = [startAt, endAt, renewAt].map((text) => new Date(text).getTime());
    return Number(start) <= Number(moment) && Number(moment) <= Number(end) ? { startAt, endAt } : undefined;
  });
  return window ? { window, renewAt } : { window: undefined, renewAt: undefined };
}
