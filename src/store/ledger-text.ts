import type { FailedValidation, SpentOrder } from "../certificate/index.ts";
import type { CaHold, CaLedger } from "../reconcile/index.ts";
import { type LeftOut, type LooseRecord, readRecord } from "./loose-record.ts";
import { parseFailure } from "./state-text.ts";

/** Reads the ledger of the CA with this directory, as {@link parseState} does. Throws an Error when it is another's or none. */
export function parseLedger(text: string, directoryUrl: string, leftOut: LeftOut): CaLedger {
  const record = readRecord(text, leftOut);
  const named = record.text("directoryUrl");
  if (named !== directoryUrl) throw new Error(`it is about ${named ?? "no CA"}, not about ${directoryUrl}`);
  const spending = record.record("spending");
  return {
    schema: 1,
    directoryUrl,
    spending: {
      orders: spending?.list("orders", parseOrder) ?? [],
      failedValidations: spending?.list("failedValidations", parseValidation) ?? [],
    },
    holds: record.list("holds", parseHold),
  };
}

function parseOrder(record: LooseRecord): Required<SpentOrder> | undefined {
  const [at, names] = [record.instant("at"), record.text("names")];
  if (at === undefined || names === undefined) return undefined;
  // In doubt it counts.
  return { at, names, isExempt: record.flag("isExempt") ?? false, isIssued: record.flag("isIssued") ?? true };
}

function parseValidation(record: LooseRecord): FailedValidation | undefined {
  const [at, name] = [record.instant("at"), record.text("name")];
  return at === undefined || name === undefined ? undefined : { at, name };
}

function parseHold(record: LooseRecord): CaHold | undefined {
  const scope = record.parsed("scope", parseScope);
  const [askedAt, until] = [record.instant("askedAt"), record.instant("until")];
  const failure = record.parsed("failure", parseFailure);
  if (!scope || askedAt === undefined || until === undefined || !failure) return undefined;
  return { scope, askedAt, until, failure };
}

function parseScope(record: LooseRecord): CaHold["scope"] | undefined {
  const kind = record.oneOf("kind", ["account", "names", "exact-set"]);
  switch (kind) {
    case "account":
      return { kind };
    case "names": {
      const names = record.texts("names");
      return names && { kind, names };
    }
    case "exact-set": {
      const names = record.text("names");
      return names === undefined ? undefined : { kind, names };
    }
    case undefined:
      return undefined;
  }
}
