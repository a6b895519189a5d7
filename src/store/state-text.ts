import type { RenewalInfoState } from "../certificate/index.ts";
import { attemptsOf, type DeployState, type LineageState } from "../reconcile/index.ts";
import { parseFailure } from "./failure-text.ts";
import { type LeftOut, type JsonReader, readJson, whole } from "./json-reader.ts";
import { parseAttempts, parseTry, triesThatCameTo } from "./tries-text.ts";

/**
 * Reads a lineage's state. What makes no sense is left out and named in `leftOut`, so that no hand-edited line stops
 * renewals; the fields of older versions that this one doesn't have are passed over. Throws an Error when it is no state.
 */
export function parseState(text: string, leftOut: LeftOut): Required<LineageState> {
  const json = readJson(text, leftOut);
  const known = json.list("tries", parseTry);
  const tries = known.length > 0 ? known : triesThatCameTo(json.parsed("issue", parseAttempts) ?? { failures: 0 });
  const renewalInfo = json.parsed("renewalInfo", parseRenewalInfo);
  return { schema: 1, tries, renewalInfo, deploy: json.record("deploy", parseDeploy) ?? {} };
}

/**
 * What is written for a state: beside the tries what they come to, as versions before this one read it, so that going back to
 * one of those forgets no back-off.
 */
export function stateToWrite({ schema, tries, ...rest }: LineageState): LineageState {
  const readByOlder = { issue: attemptsOf(tries) };
  return { schema, ...readByOlder, tries, ...rest };
}

function parseDeploy(json: JsonReader): Required<DeployState> {
  return {
    servedFingerprint: json.text("servedFingerprint"),
    servedAt: json.instant("servedAt"),
    failures: json.count("failures") ?? 0,
    nextAttemptAt: json.instant("nextAttemptAt"),
    lastFailure: json.parsed("lastFailure", parseFailure),
    triedFingerprint: json.text("triedFingerprint"),
    acquittedFingerprint: json.text("acquittedFingerprint"),
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
