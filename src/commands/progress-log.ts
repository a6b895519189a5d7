import type { Log, LogEvent, LogFields } from "../ports/index.ts";
import type { CommandIo } from "./command-io.ts";

const text = (value: unknown): string => (Array.isArray(value) ? value.map(text).join(", ") : String(value));

// Only what a person who waits wants to read, with the fields of the event in it; `{who}` is the name or, of an event about all
// of a certificate, the lineage. Failures are told once, by the report at the end.
const LINES: Partial<Record<LogEvent, string>> = {
  "account.registered": "registered an account at the CA",
  "account.replaced": "the CA no longer takes our account: another one is used, the old key is kept",
  "ca.answering": "{lineage}: the CA answers again",
  "ca.fallback-chosen": "{lineage}: the first CA has been failing, ordering at {ca}",
  "limit.overridden": "{lineage}: about to lapse, so ordered beyond the CA's limit ({limit})",
  "profile.not-offered": "{lineage}: the CA doesn't offer the profile {profile}, its default is used",
  "chain.not-offered": "{lineage}: the CA doesn't offer the chain {chain}, its default is used",
  "storage.ephemeral": "warning: {message}\n  what to do: {remedy}",
  "order.created": "{lineage}: order placed",
  "order.resumed": "{lineage}: going on with the order of an earlier try",
  "authorization.reused": "{who}: already proven to the CA",
  "challenge.presented": "{who}: proof is in place",
  "self-check.failed": "{who}: warning: {message}\n  what to do: {remedy}",
  "challenge.validated": "{who}: the CA has seen the proof",
  "order.finalized": "{lineage}: the CA is signing",
  "lineage.issued": "{lineage}: version {version} is on disk",
  "lineage.renewed": "{lineage}: version {version} is on disk",
  "lineage.restored": "{lineage}: version {rejectedVersion} is put back to the one before",
  "lineage.shown": "{lineage}: version {version} is shown again, nothing was ordered",
  "configuration.tested": "{target}: configuration tested",
  "target.reloaded": "{target}: reloaded",
  "target.served": "{target}: serves {lineage}",
  "target.told": "{target}: has been given {lineage}",
  "option.ignored": "{option} is ignored: {because}",
};

/** A log whose lines are sentences for the person who waits; with `isVerbose` it tells every other event too. */
export function progressLog(io: CommandIo, isVerbose: boolean): Log {
  const tell = (event: LogEvent, fields: LogFields = {}) => {
    const line = LINES[event];
    const told: LogFields = { who: fields["name"] ?? fields["lineage"], ...fields };
    if (line) io.out(`${line.replace(/\{(\w+)\}/g, (_, name: string) => text(told[name]))}\n`);
    else if (isVerbose) io.out(`${event} ${JSON.stringify(fields)}\n`);
  };
  return { error: tell, warn: tell, info: tell, debug: tell };
}
