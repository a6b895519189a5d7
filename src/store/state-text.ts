import type { Failure, FailureOrigin, RenewalInfoState } from "../certificate/index.ts";
import type { AttemptState, CaFailure, DeployState, LineageState } from "../reconcile/index.ts";
import { type LeftOut, type JsonReader, readJson, whole } from "./json-reader.ts";

const ORIGINS: readonly FailureOrigin[] = ["here", "proof", "ca-refused", "ca-failing", "ca-unreachable"];

/**
 * Reads a lineage's state. What makes no sense is left out and named in `leftOut`, so that no hand-edited line stops
 * renewals; the fields of older versions that this one doesn't have are passed over. Throws an Error when it is no state.
 */
export function parseState(text: string, leftOut: LeftOut): Required<LineageState> {
  const json = readJson(text, leftOut);
  const issue = json.parsed("issue", parseAttempts);
  const renewalInfo = json.parsed("renewalInfo", parseRenewalInfo);
  return { schema: 1, issue: issue ?? { failures: 0 }, renewalInfo, deploy: json.record("deploy", parseDeploy) ?? {} };
}

/** Reads a failure; undefined unless all of it is there. */
export function parseFailure(json: JsonReader): Failure | undefined {
  return whole({ code: json.text("code"), message: json.text("message"), remedy: json.text("remedy") });
}

// Required: a field that is new in the type must be read here, or it would be lost at each load.
function parseAttempts(json: JsonReader): Required<AttemptState> {
  const lastFailure = json.parsed("lastFailure", parseFailure);
  return {
    failures: json.count("failures") ?? (lastFailure ? 1 : 0),
    startedAt: json.instant("startedAt"),
    nextAttemptAt: json.instant("nextAttemptAt"),
    lastFailure,
    lastFailedAt: json.instant("lastFailedAt"),
    lastSuccessAt: json.instant("lastSuccessAt"),
    lastDirectoryUrl: json.text("lastDirectoryUrl"),
    atCa: json.record("atCa", parseCaFailure),
    lastNames: json.text("lastNames"),
    caFailingSince: json.instant("caFailingSince"),
    caFailures: json.count("caFailures"),
    isFallbackTried: json.flag("isFallbackTried"),
    fallback: json.parsed("fallback", parseFallback),
    putBack: json.text("putBack"),
    hastyRenewals: json.count("hastyRenewals"),
    settingsDigest: json.text("settingsDigest"),
  };
}

function parseCaFailure(json: JsonReader): Required<CaFailure> | undefined {
  const known = whole({ failedAt: json.instant("failedAt"), origin: json.oneOf("origin", ORIGINS) });
  return known && { ...known, isSeenDown: json.flag("isSeenDown") };
}

function parseFallback(json: JsonReader): AttemptState["fallback"] {
  return whole({ at: json.text("at"), first: json.text("first") });
}

function parseDeploy(json: JsonReader): Required<DeployState> {
  return {
    servedFingerprint: json.text("servedFingerprint"),
    servedAt: json.instant("servedAt"),
    failures: json.count("failures") ?? 0,
    nextAttemptAt: json.instant("nextAttemptAt"),
    lastFailure: json.parsed("lastFailure", parseFailure),
    triedFingerprint: json.text("triedFingerprint"),
  };
}

// Without the next moment to ask, all of it goes: the CA is asked at once then.
function parseRenewalInfo(json: JsonReader): Required<RenewalInfoState> | undefined {
  const known = whole({ certificateId: json.text("certificateId"), askAgainAt: json.instant("askAgainAt") });
  return (
    known && {
      ...known,
      ...parseMoment(json),
      explanationUrl: json.text("explanationUrl"),
      failures: json.count("failures") ?? 0,
      problem: json.text("problem"),
    }
  );
}

// A moment is worth something only inside the window that it was drawn in.
function parseMoment(json: JsonReader): Required<Pick<RenewalInfoState, "window" | "renewAt">> {
  const renewAt = json.instant("renewAt");
  const window = json.parsed("window", (inner) => {
    const [startAt, endAt] = [inner.instant("startAt"), inner.instant("endAt")];
    if (startAt === undefined || endAt === undefined || renewAt === undefined) return undefined;
    const [start, end, moment] = [startAt, endAt, renewAt].map((text) => new Date(text).getTime());
    return Number(start) <= Number(moment) && Number(moment) <= Number(end) ? { startAt, endAt } : undefined;
  });
  return window ? { window, renewAt } : { window: undefined, renewAt: undefined };
}
