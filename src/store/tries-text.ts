import type { FailureOrigin } from "../certificate/index.ts";
import type { Attempts, CaFailure, Try } from "../reconcile/index.ts";
import { parseFailure } from "./failure-text.ts";
import { type JsonReader, whole } from "./json-reader.ts";

const ORIGINS: readonly FailureOrigin[] = ["here", "proxy", "proof", "ca-refused", "ca-failing", "ca-unreachable"];

/** Reads a try; undefined where it doesn't say what it was, and when. Required: a new field must be read, or it would be lost. */
export function parseTry(json: JsonReader): Required<Try> | undefined {
  const failure = json.parsed("failure", parseFailure);
  const known = whole({
    stage: json.oneOf("stage", ["prepare", "order", "deploy"]),
    outcome: json.oneOf("outcome", ["begun", "failed", "done"]),
    at: json.instant("at"),
  });
  return (
    known && {
      ...known,
      ca: json.text("ca"),
      isFallback: json.flag("isFallback"),
      first: json.text("first"),
      names: json.text("names"),
      fingerprint: json.text("fingerprint"),
      origin: json.oneOf("origin", ORIGINS),
      isSeenDown: json.flag("isSeenDown"),
      row: json.parsed("row", (row) => whole({ since: row.instant("since"), nth: row.count("nth") })),
      // A back-off whose count makes no sense holds all the same.
      failures: json.count("failures") ?? (failure ? 1 : undefined),
      failure,
      nextAttemptAt: json.instant("nextAttemptAt"),
      settingsDigest: json.text("settingsDigest"),
    }
  );
}

/** What the tries come to, as versions before the list of them kept it, and as those read it still. */
export function parseAttempts(json: JsonReader): Required<Attempts> {
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
    fallback: json.parsed("fallback", (inner) => whole({ at: inner.text("at"), first: inner.text("first") })),
    putBack: json.text("putBack"),
    hastyRenewals: json.count("hastyRenewals"),
    settingsDigest: json.text("settingsDigest"),
  };
}

function parseCaFailure(json: JsonReader): Required<CaFailure> | undefined {
  const known = whole({ failedAt: json.instant("failedAt"), origin: json.oneOf("origin", ORIGINS) });
  return known && { ...known, isSeenDown: json.flag("isSeenDown") };
}

/** Tries that come to just that. */
export function triesThatCameTo(known: Attempts): readonly Try[] {
  const { failures, lastFailure: failure, nextAttemptAt, settingsDigest, startedAt, caFailingSince: since } = known;
  const at = startedAt ?? known.lastFailedAt ?? known.lastSuccessAt ?? new Date(0).toISOString();
  const about = { stage: "order", at, ca: known.lastDirectoryUrl } as const;
  const last = { failures, failure, nextAttemptAt, settingsDigest };
  // What failed may have been taken since: a version that was put back.
  const isOver = failures === 0 && known.lastFailedAt !== undefined;
  const tries: Try[] = [];
  if (known.lastSuccessAt !== undefined) {
    const { lastSuccessAt, fallback, hastyRenewals: nth } = known;
    const row = nth === undefined ? undefined : { since: lastSuccessAt, nth };
    const by = { ca: fallback?.at ?? about.ca, first: fallback?.first, row };
    tries.push({ ...about, ...by, at: lastSuccessAt, outcome: "done", failures: 0, ...(failures === 0 && last) });
  }
  for (const [ca, failed] of Object.entries(known.atCa ?? {})) {
    if (!failed) continue;
    const { failedAt, origin, isSeenDown } = failed;
    tries.push({ stage: "order", outcome: "failed", at: failedAt, ca, origin, isSeenDown });
  }
  // Which CA's these were isn't known any more.
  const row = since === undefined ? undefined : { since, nth: known.caFailures ?? 1 };
  if (row) tries.push({ ...about, ca: undefined, outcome: "failed", origin: "ca-failing", row });
  if (known.isFallbackTried) tries.push({ ...about, ca: undefined, outcome: "begun", isFallback: true });
  const outcome = startedAt === undefined ? "failed" : "begun";
  const failed = { ...about, outcome, names: known.lastNames, ...last } as const;
  if (failures > 0 || isOver) tries.push({ ...failed, failures: Math.max(1, failures) });
  if (isOver) tries.push({ stage: "deploy", outcome: "done", at, ...last });
  if (known.putBack !== undefined) tries.push({ stage: "deploy", outcome: "begun", at, fingerprint: known.putBack });
  return tries;
}
