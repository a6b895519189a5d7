import { asOperatorError, mapLimited, toFailure } from "../certificate/index.ts";
import { explainBehind } from "./deploy/memory.ts";
import { searchTargets } from "./deploy/search.ts";
import type { Found, ServedFinding } from "./deploy/target.ts";
import { resolveDesired, type DesiredCertificate } from "./issue/desired.ts";
import { CaLedgers } from "./issue/ca/ledger.ts";
import { fallbackFailure } from "./issue/ca/ready-fallback.ts";
import { gatherFacts } from "./issue/gather-facts.ts";
import { decideIssue, type IssueDecision } from "./issue/decision.ts";
import { NotServedError } from "./errors.ts";
import { reportOf } from "./issue/report.ts";
import type { LineageState } from "./lineage-state.ts";
import type { StoredLineage, StrayFile } from "./lineage-store.ts";
import { versionsFor } from "./deploy/owners.ts";
import { pictureOf, type Picture } from "./picture.ts";
import { automaticRun } from "./policy.ts";
import type { ReconcileParts } from "./run.ts";
import { unreadableReport, type DeployReport } from "./run-report.ts";
import { lookOnce, type StorageFinding } from "./storage.ts";
import { attemptsOf, type Attempts } from "./tries.ts";

/** One certificate as it stands: on disk, in our memory, and at each target. */
export type InspectedCertificate = {
  readonly desired: DesiredCertificate;
  /** What the next automatic run would do about it on disk. */
  readonly decision: IssueDecision;
  readonly attempts: Attempts;
  /** What the CA has said about when to renew it. */
  readonly renewalInfo?: LineageState["renewalInfo"];
  readonly targets: readonly { readonly name: string; readonly finding: ServedFinding }[];
};

/** Everything there is to see, with nothing changed. */
export type Inspection = {
  readonly certificates: readonly InspectedCertificate[];
  /** Lineages that can't be read and that the settings don't name. */
  readonly unreadable: readonly StoredLineage[];
  /** What looks like a renewal conf and is none. */
  readonly strays: readonly StrayFile[];
  readonly found?: Found | undefined;
  readonly storage: StorageFinding;
  readonly picture: Picture;
};

type InspectOptions = {
  readonly signal: AbortSignal;
  /** Whether to ask the targets too. */
  readonly withTargets: boolean;
};

const CERTIFICATES_AT_ONCE = 4;

/**
 * Reads how all certificates are and, on request, what each target serves. What isn't to be read of one is told as its
 * decision. Reads only; safe beside a run. Throws OperatorError.
 */
export async function inspect(
  given: Omit<ReconcileParts, "ca" | "random" | "servedWithinMs" | "mayAct">,
  { signal, withTargets }: InspectOptions,
): Promise<Inspection> {
  const parts = { ...given, storage: lookOnce(given.storage), ledgers: new CaLedgers(given.store) };
  const stored = await parts.store.list();
  const desired = resolveDesired(parts.policy, stored);
  const there = [...desired.map(({ lineage }) => lineage), ...stored.map(({ name }) => name)];
  const found = withTargets ? await searchTargets(parts, there, signal) : undefined;
  const asked = (found?.targets ?? []).map((target) => ({
    target,
    versions: versionsFor(target, { store: parts.store, desired }),
  }));
  const certificates = await mapLimited(desired, CERTIFICATES_AT_ONCE, async (one): Promise<InspectedCertificate> => {
    const known = await remembered(parts, one, signal);
    const targets = asked.flatMap(({ target, versions }) => {
      const version = versions.find(({ lineage }) => lineage === one.lineage);
      return version ? [{ target, version }] : [];
    });
    const findings = targets.map(async ({ target, version }) => {
      const { name } = target;
      return { name, finding: await explainBehind({ store: parts.store, target, signal }, version) };
    });
    return { desired: one, ...known, targets: await Promise.all(findings) };
  });
  const storage = await parts.storage.inspect(signal);
  const known = new Set(desired.map(({ lineage }) => lineage));
  const unreadable = stored.filter(({ name, problem }) => problem && !known.has(name));
  const seen = { certificates, unreadable, strays: await parts.store.strays(), found, storage };
  const beside = {
    settingsFailure: parts.policy.settingsProblem && toFailure(parts.policy.settingsProblem),
    // A ledger that can't be read is what each decision says.
    fallbackFailure: await fallbackFailure(parts.ledgers, parts.policy).catch(() => undefined),
  };
  return { ...seen, picture: judge(seen, beside, parts.clock.now()) };
}

function judge(
  { certificates, unreadable, found }: Omit<Inspection, "picture">,
  beside: Pick<Picture, "settingsFailure" | "fallbackFailure">,
  at: Date,
): Picture {
  const reports = certificates.map(({ desired, decision, renewalInfo, attempts: { failures, lastFailure } }) => {
    const report = reportOf({ desired, renewalInfo, now: at }, decision);
    return { ...report, failure: report.failure ?? (failures > 0 ? lastFailure : undefined) };
  });
  const deploys = certificates.flatMap(({ desired: { lineage }, targets }) =>
    targets.map(({ name: target, finding }): DeployReport => {
      if (finding.kind === "served") return { target, lineage, outcome: "served" };
      return { target, lineage, outcome: "failed", failure: toFailure(new NotServedError(lineage, finding)) };
    }),
  );
  const all = [...reports, ...unreadable.map(unreadableReport)];
  return pictureOf({ certificates: all, deploys, missing: found?.missing, ...beside }, at);
}

async function remembered(parts: Parameters<typeof gatherFacts>[0], desired: DesiredCertificate, signal: AbortSignal) {
  try {
    const state = await parts.store.loadState(desired.lineage);
    const run = { request: automaticRun("schedule"), signal };
    const facts = await gatherFacts(parts, run, { desired, state });
    const decision = decideIssue(facts);
    const isOfCurrent = state.renewalInfo?.certificateId === desired.current?.leaf.certificateId;
    return { decision, attempts: facts.attempts, renewalInfo: isOfCurrent ? state.renewalInfo : undefined };
  } catch (thrown) {
    signal.throwIfAborted();
    return { decision: { kind: "refused", problem: asOperatorError(thrown) }, attempts: attemptsOf([]) } as const;
  }
}
