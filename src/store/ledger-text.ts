import type { FailedValidation, SpentOrder } from "../certificate/index.ts";
import type { CaWait, CaLedger } from "../reconcile/index.ts";
import { type LeftOut, type JsonReader, readJson } from "./json-reader.ts";
import { parseFailure } from "./state-text.ts";

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
  };
}

function parseOrder(json: JsonReader): Required<SpentOrder> | undefined {
  const [at, names] = [json.instant("at"), json.text("names")];
  if (at === undefined || names === undefined) return undefined;
  // In doubt it counts.
  return { at, names, isExempt: json.flag("isExempt") ?? false, isIssued: json.flag("isIssued") ?? true };
}

function parseValidation(json: JsonReader): FailedValidation | undefined {
  const [at, name] = [json.instant("at"), json.text("name")];
  return at === undefined || name === undefined ? undefined : { at, name };
}

function parseWait(json: JsonReader): CaWait | undefined {
  const scope = json.parsed("scope", parseScope);
  const [askedAt, until] = [json.instant("askedAt"), json.instant("until")];
  const failure = json.parsed("failure", parseFailure);
  if (!scope || askedAt === undefined || until === undefined || !failure) return undefined;
  return { scope, askedAt, until, failure };
}

function parseScope(json: JsonReader): CaWait["scope"] | undefined {
  const kind = json.oneOf("kind", ["account", "names", "exact-set"]);
  switch (kind) {
    case "account":
      return { kind };
    case "names": {
      const names = json.texts("names");
      return names && { kind, names };
    }
    case "exact-set": {
      const names = json.text("names");
      return names === undefined ? undefined : { kind, names };
    }
    case undefined:
      return undefined;
  }
}
