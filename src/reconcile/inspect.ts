import { asOperatorError, identifierKey, type Identifier } from "../certificate/index.ts";
import type { DeployTarget, Found, ServedFinding } from "./deploy/target.ts";
import { resolveDesired, type DesiredCertificate } from "./issue/desired.ts";
import { CaLedgers } from "./issue/ca/ledger.ts";
import { gatherFacts } from "./issue/gather-facts.ts";
import { decideIssue, type IssueDecision } from "./issue/decision.ts";
import { FRESH_STATE, type AttemptState, type LineageState } from "./lineage-state.ts";
import type { StoredLineage } from "./lineage-store.ts";
import { assignNames } from "./deploy/owners.ts";
import { automaticRun } from "./policy.ts";
import type { ReconcileParts } from "./run.ts";
import type { StorageFinding } from "./storage.ts";

/** One certificate as it stands: on disk, in our memory, and at each target. */
export type InspectedCertificate = {
  readonly desired: DesiredCertificate;
  /** What the next automatic run would do about it on disk. */
  readonly decision: IssueDecision;
  readonly attempts: AttemptState;
  /** What the CA has said about when to renew it. */
  readonly renewalInfo?: LineageState["renewalInfo"];
  readonly targets: readonly { readonly name: string; readonly finding: ServedFinding }[];
};

/** Everything there is to see, with nothing changed. */
export type Inspection = {
  readonly certificates: readonly InspectedCertificate[];
  /** Lineages that can't be read and that the settings don't name. */
  readonly unreadable: readonly StoredLineage[];
  readonly found?: Found | undefined;
  readonly storage: StorageFinding;
};

type InspectOptions = {
  readonly signal: AbortSignal;
  /** Whether to look at the targets too. */
  readonly withTargets: boolean;
};

/**
 * Looks at all certificates and, on request, at what each target serves. What isn't to be read of one is told as its
 * decision. Reads only; safe beside a run. Throws OperatorError.
 */
export async function inspect(
  parts: Omit<ReconcileParts, "ca" | "random" | "servedWithinMs" | "mayAct">,
  { signal, withTargets }: InspectOptions,
): Promise<Inspection> {
  const stored = await parts.store.list();
  const desired = resolveDesired(parts.policy, stored);
  const found = withTargets ? await parts.finder.find(signal) : undefined;
  const certificates: InspectedCertificate[] = [];
  const owned = new Map(assignNames(desired).map(({ lineage, identifiers }) => [lineage, identifiers]));
  const ledgers = new CaLedgers(parts.store);
  for (const one of desired) {
    const known = await remembered({ ...parts, ledgers }, one, signal);
    const targets = await observeAll(found?.targets ?? [], { desired: one, owned: owned.get(one.lineage) }, signal);
    certificates.push({ desired: one, ...known, targets });
  }
  const storage = await parts.storage.inspect(signal);
  const known = new Set(desired.map(({ lineage }) => lineage));
  return { certificates, unreadable: stored.filter(({ name }) => !known.has(name)), found, storage };
}

async function remembered(parts: Parameters<typeof gatherFacts>[0], desired: DesiredCertificate, signal: AbortSignal) {
  try {
    const state = await parts.store.loadState(desired.lineage);
    const run = { request: automaticRun("schedule"), signal };
    const decision = decideIssue(await gatherFacts(parts, run, { desired, state }));
    const isOfCurrent = state.renewalInfo?.certificateId === desired.current?.leaf.certificateId;
    return { decision, attempts: state.issue, renewalInfo: isOfCurrent ? state.renewalInfo : undefined };
  } catch (thrown) {
    signal.throwIfAborted();
    return { decision: { kind: "refused", problem: asOperatorError(thrown) }, attempts: FRESH_STATE.issue } as const;
  }
}

type Observed = { readonly desired: DesiredCertificate; readonly owned?: readonly Identifier[] | undefined };

// A server is asked for the names that are the lineage's own, as after a deploy: the others are another one's to serve.
async function observeAll(targets: readonly DeployTarget[], { desired, owned = [] }: Observed, signal: AbortSignal) {
  const { current, lineage } = desired;
  const names = new Set(owned.map(identifierKey));
  const identifiers = current?.leaf.identifiers.filter((identifier) => names.has(identifierKey(identifier))) ?? [];
  if (!current || identifiers.length === 0) return [];
  const certificate = { lineage, identifiers, fingerprint: current.leaf.fingerprint };
  const look = async (target: DeployTarget) => ({
    name: target.name,
    finding: await target.observe(certificate, signal),
  });
  return Promise.all(targets.map(look));
}
