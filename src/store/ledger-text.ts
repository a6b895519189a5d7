import type { FailedValidation, SpentOrder } from "../certificate/index.ts";
import type { CaLedger, CaWait, Readied } from "../reconcile/index.ts";
import { parseFailure } from "./failure-text.ts";
import { type LeftOut, type JsonReader, readJson, whole } from "./json-reader.ts";

/** Reads the ledger of the CA with this directory, as {@link parseState} does. Throws an Error when it is another's or none. */
export function parseLedger(text: string, directoryUrl: string, leftOut: LeftOut): CaLedger {
  const json = readJson(text, leftOut);
  const named = json.text("directoryUrl");
  if (named !== directoryUrl) throw new Error(`it is about ${named ?? "no CA"}, not about ${directoryUrl}`);
  const spending = json.object("spending");
  return {
    schema: 1,
    directoryUrl,
    spending: {
      orders: spending?.list("orders", parseOrder) ?? [],
      failedValidations: spending?.list("failedValidations", parseValidation) ?? [],
    },
    holds: json.list("holds", parseWait),
    readied: json.parsed("readied", parseReadied),
  };
}

function parseReadied(json: JsonReader): Readied | undefined {
  const [isReady, failure] = [json.flag("isReady"), json.parsed("failure", parseFailure)];
  const known = whole({ triedAt: json.instant("triedAt"), settingsDigest: json.text("settingsDigest") });
  return known && { ...known, isReady, failure };
}

function parseOrder(json: JsonReader): Required<SpentOrder> | undefined {
  return whole({
    at: json.instant("at"),
    names: json.text("names"),
    // In doubt it counts.
    isExempt: json.flag("isExempt") ?? false,
    isIssued: json.flag("isIssued") ?? true,
  });
}

function parseValidation(json: JsonReader): FailedValidation | undefined {
  return whole({ at: json.instant("at"), name: json.text("name") });
}

function parseWait(json: JsonReader): CaWait | undefined {
  const wait = whole({
    scope: json.parsed("scope", parseScope),
    askedAt: json.instant("askedAt"),
    until: json.instant("until"),
    failure: json.parsed("failure", parseFailure),
  });
  return wait && { ...wait, settingsDigest: json.text("settingsDigest") };
}

function parseScope(json: JsonReader): CaWait["scope"] | undefined {
  const kind = json.oneOf("kind", ["account", "names", "exact-set"]);
  switch (kind) {
    case "account":
      return { kind };
    case "names":
      return whole({ kind, names: json.texts("names") });
    case "exact-set":
      return whole({ kind, names: json.text("names") });
    case undefined:
      return undefined;
  }
}
