import { toFailure, type Failure } from "../certificate/index.ts";
import { isReached, type CertificateReport, type RunReport } from "../reconcile/index.ts";
import type { RunOptions } from "../settings/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";
import { progressLog } from "./progress-log.ts";
import type { CommandParts, Verb } from "./verb.ts";
import { clockLine, failureLines, instant, names, validUntil } from "./words.ts";

/**
 * One reconcile of all certificates, now, with progress; ends with the truth and an exit code. The run goes on when the one
 * who asked goes away.
 */
export const updateCert: Verb = {
  name: "update-cert",
  help: `Usage: update-cert [option...]
Checks all certificates now: orders what is missing or due, has nginx reloaded, looks whether nginx serves it.
  --dry-run           rehearse the orders; change nothing
  --force-renewal     order anew though nothing is due (spends the CA's limits)
  --staging           order at the CA's staging, in this run only
  --cert-name NAME    only this certificate
  --json              one JSON document on standard output
  -v                  every step
  -q                  failures only
Exit code 0: reached, or nothing due. 1: a certificate or a deploy failed. 2: usage or settings.`,
  isReadOnly: false,
  run: runUpdateCert,
};

async function runUpdateCert(parts: CommandParts, words: readonly string[], io: CommandIo): Promise<number> {
  let options: RunOptions;
  try {
    options = parts.readOptions(words);
  } catch (thrown) {
    io.err(`${failureLines(toFailure(thrown))}\n`);
    return EXIT.usage;
  }
  const { json, verbose, quiet, ...asked } = options;
  // Who typed a mistake may mean something else by this: all else that is due is done.
  if (parts.settingsProblem && (asked.isForced || asked.isRehearsal || asked.order)) return EXIT.usage;
  const out = quiet ? () => undefined : (text: string) => (json ? io.err(text) : io.out(text));
  const steps = { ...io, out };
  const busySince = parts.busySince();
  if (busySince) steps.out(`waiting for the check that has been running since ${instant(busySince)}\n`);
  const report = await parts.run({ trigger: "command", ...asked }, progressLog(steps, verbose), io.signal);
  const reached = isReached(report);
  const { missing, ...told } = report;
  const document = { reached, ...told, targetsUnavailable: missing?.[0]?.failure };
  if (json) io.out(`${JSON.stringify(document, null, 2)}\n`);
  else printReport(report, steps, parts.now());
  if (report.isUsageProblem) return EXIT.usage;
  return reached ? EXIT.ok : EXIT.failed;
}

function printReport(report: RunReport, io: CommandIo, now: Date): void {
  const tellFailure = (failure: Failure) => io.err(`${failureLines(failure)}\n`);
  if (report.failure) tellFailure(report.failure);
  for (const certificate of report.certificates) {
    io.out(`${certificateLine(certificate, now)}\n`);
    if (certificate.failure) tellFailure(certificate.failure);
  }
  for (const { target, lineage, outcome, failure, isUnseen } of report.deploys) {
    const does = isUnseen ? "has it; what it serves is not checked" : "serves it";
    if (outcome === "served" || outcome === "deployed") io.out(`${lineage}: ${target} ${does}\n`);
    else io.err(`${lineage}: ${target} does NOT serve it\n`);
    if (failure) tellFailure(failure);
  }
  if (report.clockAheadMs !== undefined) io.err(`${clockLine(report.clockAheadMs)}\n`);
  for (const { name, reason } of report.targetsOff) io.out(`${name}: ${reason}\n`);
  for (const { failure } of report.missing ?? []) tellFailure(failure);
  if (report.fallbackFailure) tellFailure(report.fallbackFailure);
}

function certificateLine(report: CertificateReport, now: Date): string {
  const { lineage, identifiers, outcome, validity, nextAt, renewalInfo } = report;
  const until = validity ? `, ${validUntil(validity, now)}` : "";
  const isSuggested = nextAt !== undefined && renewalInfo?.renewAt?.getTime() === nextAt.getTime();
  const why = renewalInfo?.explanationUrl === undefined ? "" : `: ${renewalInfo.explanationUrl}`;
  const next = nextAt ? `, next renewal ${instant(nextAt)}${isSuggested ? ` as the CA suggests${why}` : ""}` : "";
  switch (outcome) {
    case "issued":
    case "renewed":
      return `${lineage}: ${outcome} for ${names(identifiers)}${until}${next}`;
    case "not-due":
      return `${lineage}: not due${until}${next}`;
    case "rehearsed":
      return `${lineage}: the rehearsal passed; nothing was changed`;
    case "left-alone":
      return `${lineage}: left alone, its renewal/${lineage}.conf says autorenew = False${until}`;
    case "rehearsal-only":
      return `${lineage}: no order while --dry-run is set${until}`;
    case "held":
      return `${lineage}: no order now${until}${nextAt ? `, the next one ${instant(nextAt)}` : ""}`;
    case "failed":
      return `${lineage}: FAILED${until}${nextAt ? `, next try by itself ${instant(nextAt)}` : ""}`;
  }
}
