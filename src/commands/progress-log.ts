import type { Log, LogEvent, LogFields } from "../ports/index.ts";
import type { CommandIo } from "./command-io.ts";

type Line = (fields: LogFields) => string;

const text = (value: unknown): string => (Array.isArray(value) ? value.map(text).join(", ") : String(value));
// Some events are about one name of a certificate, some about all of them.
const nameIn = (fields: LogFields): string => text(fields["name"] ?? fields["lineage"]);

// Only what a person who waits wants to read. Failures are told once, by the report at the end.
const LINES: Partial<Record<LogEvent, Line>> = {
  "account.registered": () => "registered an account at the CA",
  "account.replaced": () => "the CA no longer takes our account: another one is used, the old key is kept",
  "ca.answering": (f) => `${text(f["lineage"])}: the CA answers again`,
  "ca.fallback-chosen": (f) => `${text(f["lineage"])}: the first CA has been failing, ordering at ${text(f["ca"])}`,
  "limit.overridden": (f) =>
    `${text(f["lineage"])}: about to lapse, so ordered beyond the CA's limit (${text(f["limit"])})`,
  "profile.not-offered": (f) =>
    `${text(f["lineage"])}: the CA doesn't offer the profile ${text(f["profile"])}, its default is used`,
  "chain.not-offered": (f) =>
    `${text(f["lineage"])}: the CA doesn't offer the chain ${text(f["chain"])}, its default is used`,
  "storage.ephemeral": (f) => `warning: ${text(f["message"])}\n  what to do: ${text(f["remedy"])}`,
  "order.created": (f) => `${text(f["lineage"])}: order placed`,
  "order.resumed": (f) => `${text(f["lineage"])}: going on with the order of an earlier try`,
  "authorization.reused": (f) => `${nameIn(f)}: already proven to the CA`,
  "challenge.presented": (f) => `${nameIn(f)}: proof is in place`,
  "self-check.failed": (f) => `${nameIn(f)}: warning: ${text(f["message"])}\n  what to do: ${text(f["remedy"])}`,
  "challenge.validated": (f) => `${nameIn(f)}: the CA has seen the proof`,
  "order.finalized": (f) => `${text(f["lineage"])}: the CA is signing`,
  "lineage.issued": (f) => `${text(f["lineage"])}: version ${text(f["version"])} is on disk`,
  "lineage.renewed": (f) => `${text(f["lineage"])}: version ${text(f["version"])} is on disk`,
  "lineage.restored": (f) =>
    `${text(f["lineage"])}: version ${text(f["rejectedVersion"])} is put back to the one before`,
  "lineage.shown": (f) => `${text(f["lineage"])}: version ${text(f["version"])} is shown again, nothing was ordered`,
  "configuration.tested": (f) => `${text(f["target"])}: configuration tested`,
  "target.reloaded": (f) => `${text(f["target"])}: reloaded`,
  "target.served": (f) => `${text(f["target"])}: serves ${text(f["lineage"])}`,
  "option.ignored": (f) => `${text(f["option"])} is ignored: ${text(f["because"])}`,
};

/** A log whose lines are sentences for the person who waits; with `isVerbose` it tells every other event too. */
export function progressLog(io: CommandIo, isVerbose: boolean): Log {
  const tell = (event: LogEvent, fields: LogFields = {}) => {
    const line = LINES[event];
    if (line) io.out(`${line(fields)}\n`);
    else if (isVerbose) io.out(`${event} ${JSON.stringify(fields)}\n`);
  };
  return { error: tell, warn: tell, info: tell, debug: tell };
}
