import type { InspectedCertificate, Inspection, ServedFinding } from "../reconcile/index.ts";
import { EXIT } from "./command-io.ts";
import { jsonVerb, type CommandParts } from "./verb.ts";
import { instant, names, validUntil } from "./words.ts";

/** Each certificate, its next step, its targets and what they serve right now. Exit code 1 when not all is well. */
export const status = jsonVerb({
  name: "status",
  help: `Usage: status [--json]
Shows each certificate, its next step, what failed, and what nginx serves right now. Exit code 1 when not all is well.`,
  isReadOnly: true,
  run: async (parts, isJson, io) => {
    const inspection = await parts.inspect({ withTargets: true, signal: io.signal });
    const health = parts.daemon?.health();
    const { isWell, problems } = inspection.picture;
    const isGood = isWell && !problems.some(({ isAlarm }) => isAlarm) && (health?.isHealthy ?? true);
    if (isJson) io.out(`${JSON.stringify(toDocument(parts, inspection, isGood), null, 2)}\n`);
    else io.out(toText(parts, inspection));
    return isGood ? EXIT.ok : EXIT.failed;
  },
});

function toDocument(parts: CommandParts, inspection: Inspection, isGood: boolean) {
  const { certificates, unreadable, strays, found, storage, picture } = inspection;
  const { daemon } = parts;
  return {
    isGood,
    daemon: daemon && { ...daemon.health(), runningSince: parts.busySince(), nextCheckAt: daemon.nextCheckAt() },
    certificates: certificates.map(({ desired, decision: next, attempts, renewalInfo, targets }) => {
      const { lineage, identifiers, current, currentDirectoryUrl: directoryUrl, settings, isUnnamed = false } = desired;
      const { fingerprint, validity, issuer } = current?.leaf ?? {};
      const { directoryUrl: nextDirectoryUrl, profile } = settings;
      const from = { fingerprint, validity, issuer, directoryUrl, nextDirectoryUrl, profile };
      return { lineage, identifiers, isUnnamed, ...from, next, attempts, renewalInfo, targets };
    }),
    unreadable: unreadable.map(({ name, problem }) => ({ lineage: name, problem: problem?.message })),
    strays,
    storage,
    targetsUnavailable: found?.missing[0]?.failure,
    targetsOff: (found?.off ?? []).map(({ name, reason }) => ({ name, reason })),
    settingsFailure: picture.settingsFailure,
    fallbackFailure: picture.fallbackFailure,
  };
}

function toText(parts: CommandParts, inspection: Inspection): string {
  const { certificates, unreadable, strays, found, storage, picture } = inspection;
  const blocks = certificates.map((one) => certificateText(one, parts.now()));
  const broken = unreadable.map(({ name, problem }) => `${name}\n  can't be read: ${problem?.message ?? "unknown"}`);
  const none = strays.map(
    ({ path, reason, remedy }) => `${path} is no certificate's: ${reason}\n  what to do: ${remedy}`,
  );
  const off = (found?.off ?? []).map(({ name, reason }) => `${name}: ${reason}`);
  const { fallbackFailure } = picture;
  const failures = [
    ...(found?.missing ?? []).map(({ failure }) => failure),
    ...(fallbackFailure ? [fallbackFailure] : []),
  ];
  const targets = failures.map(({ message, remedy }) => `${message}\n  what to do: ${remedy}`);
  const memory = storage.kind === "ephemeral" ? [`${storage.message}\n  what to do: ${storage.remedy}`] : [];
  return `${[...blocks, ...broken, ...none, ...off, ...targets, ...memory, daemonText(parts)].join("\n")}\n`;
}

function servedText(finding: ServedFinding): string {
  if (finding.kind === "not-served") return `does NOT serve it: ${finding.message}`;
  return finding.isUnseen ? "has this version; what it serves is not checked" : "serves this version";
}

function certificateText(one: InspectedCertificate, now: Date): string {
  const { desired, decision, targets } = one;
  const { current, lineage, identifiers, problem } = desired;
  const onDisk = current ? `version ${current.version}, ${validUntil(current.leaf.validity, now)}` : "nothing yet";
  const lines = [lineage, `  names: ${names(identifiers)}`, `  on disk: ${onDisk}`, ...originLines(desired)];
  if (desired.isUnnamed)
    lines.push(`  asked for by: renewal/${lineage}.conf alone, not by CERTBOT_DOMAIN; delete that file to end it`);
  if (current && problem) lines.push(`  its conf: ${problem.message}`, `    what to do: ${problem.remedy}`);
  lines.push(`  next: ${nextText(decision)}`, ...reasonLines(one), ...failureTexts(one));
  for (const { name, finding } of targets) {
    lines.push(`  ${name}: ${servedText(finding)}`);
    if (finding.kind === "not-served") lines.push(`    what to do: ${finding.remedy}`);
  }
  return lines.join("\n");
}

// Who signed what is on disk; and what the next renewal asks for, where that isn't the same.
function originLines({ current, currentDirectoryUrl, settings }: InspectedCertificate["desired"]): string[] {
  const { directoryUrl, profile } = settings;
  const isOther = currentDirectoryUrl !== undefined && currentDirectoryUrl !== directoryUrl;
  return [
    ...(current ? [`  from: ${current.leaf.issuer} at ${currentDirectoryUrl ?? "an unknown CA"}`] : []),
    ...(isOther ? [`  next CA: ${directoryUrl}`] : []),
    ...(profile ? [`  profile: ${profile.name}${profile.isRequired ? ", required" : ""}`] : []),
  ];
}

function reasonLines({ renewalInfo }: InspectedCertificate): string[] {
  const { explanationUrl, problem, askAgainAt } = renewalInfo ?? {};
  return [
    ...(explanationUrl === undefined ? [] : [`  the CA says why: ${explanationUrl}`]),
    ...(problem === undefined || askAgainAt === undefined
      ? []
      : [`  the CA was asked in vain when to renew: ${problem}; asked again ${instant(new Date(askAgainAt))}`]),
  ];
}

function failureTexts({ attempts, decision }: InspectedCertificate): string[] {
  const waitsFor = decision.kind === "hold" ? decision.problem : undefined;
  const { failures, lastFailure } = attempts;
  const last = failures > 0 ? lastFailure : undefined;
  const isOther = waitsFor !== undefined && waitsFor.message !== last?.message;
  return [
    ...(last ? [`  failures in a row: ${failures}; the last: ${last.message}`, `  what to do: ${last.remedy}`] : []),
    ...(isOther ? [`  it waits: ${waitsFor.message}`, `  what to do: ${waitsFor.remedy}`] : []),
  ];
}

function nextText(decision: InspectedCertificate["decision"]): string {
  switch (decision.kind) {
    case "issue":
      return `an order, now (${decision.because})`;
    case "show-again":
      return `version ${decision.version} is shown again, now`;
    case "current":
      return `renewal ${instant(decision.until)}${decision.because === "renewal-info" ? ", as the CA suggests" : ""}`;
    case "hold": {
      const { until, because, recheckAt } = decision;
      const recheck = recheckAt ? `, sooner if that helps: looked at again ${instant(recheckAt)}` : "";
      return `another try ${instant(until)} (${because})${recheck}`;
    }
    case "rehearsal-only":
      return "no order while --dry-run is set in CERTBOT_OPTIONS";
    case "refused":
      return `no order: ${decision.problem.message}`;
    case "left-alone":
      return "nothing: its renewal configuration says autorenew = False";
  }
}

function daemonText({ daemon }: CommandParts): string {
  if (!daemon) return "daemon: not running";
  const nextCheckAt = daemon.nextCheckAt();
  const { isHealthy, problems } = daemon.health();
  const next = nextCheckAt ? `next check ${instant(nextCheckAt)}` : "no check is scheduled";
  const told = problems.map((problem) => `  ${problem.replaceAll("\n", "\n    ")}`);
  const health = isHealthy ? "healthy" : `unhealthy:\n${told.join("\n")}`;
  return `daemon: ${next}; ${health}`;
}
