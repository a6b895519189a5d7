import {
  isWildcard,
  lastResortAt,
  planRenewal,
  renewalInfoMoment,
  sameIdentifiers,
  type OperatorError,
  type RenewalInfoState,
} from "../certificate/index.ts";
import type { CaLedger } from "./ca-ledger.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
import { EphemeralStorageError, ProductionKeptError, WildcardUnprovableError } from "./errors.ts";
import type { AttemptState } from "./lineage-state.ts";
import { candidates, firstDirectory, planOrder, type OrderPlan } from "./order-plan.ts";
import type { Policy, RunMode } from "./policy.ts";
import type { StorageFinding } from "./storage.ts";

/** Why a new version is wanted. */
export type IssueReason =
  "missing" | "names-changed" | "staging-replaced" | "lifetime-left" | "renewal-info" | "forced";

/** What to do about one certificate on disk. */
export type IssueDecision =
  /** A new version is wanted: an order goes out, or must wait. */
  | OrderPlan
  /** It is as it should be until `until`, which the CA has suggested or its own life says. */
  | { readonly kind: "current"; readonly until: Date; readonly because: "lifetime-left" | "renewal-info" }
  /** A new version is wanted, but `--dry-run` stands in the settings. */
  | { readonly kind: "rehearsal-only"; readonly because: IssueReason }
  /** `autorenew = False`: an operator wants it left alone. */
  | { readonly kind: "left-alone" }
  /** An order would be spent in vain, or do harm. */
  | { readonly kind: "refused"; readonly problem: OperatorError };

/** What {@link decideIssue} looks at. */
export type IssueFacts = {
  readonly desired: DesiredCertificate;
  readonly attempts: AttemptState;
  readonly renewalInfo?: RenewalInfoState | undefined;
  /** What is remembered of a CA. */
  readonly ledgerOf: (directoryUrl: string) => CaLedger;
  /** The directory of the CA where an order was not seen through: its certificate is counted already. */
  readonly paidAt?: string | undefined;
  readonly storage: StorageFinding;
  readonly policy: Pick<
    Policy,
    "directoryUrl" | "fallbackDirectoryUrl" | "isPublicCa" | "isStaging" | "isRehearsalOnly" | "settingsDigest"
  >;
  readonly mode: RunMode;
  readonly now: Date;
  /** The directories of CAs that a look has just found answering. */
  readonly answering?: readonly string[] | undefined;
};

/** Decides the next step towards a valid certificate on disk. Pure. */
export function decideIssue(facts: IssueFacts): IssueDecision {
  const { desired, mode, policy } = facts;
  if (!desired.settings.autorenew && !mode.forceRenewal) return { kind: "left-alone" };
  const problem = reasonToRefuse(facts);
  if (problem) return { kind: "refused", problem };
  const because = reasonToIssue(facts);
  if (typeof because !== "string") return { kind: "current", ...because };
  const obstacle = obstacleToOrders(facts);
  if (obstacle) return { kind: "refused", problem: obstacle };
  if (policy.isRehearsalOnly && mode.trigger !== "command") return { kind: "rehearsal-only", because };
  return planOrder(facts, because);
}

/** The directories whose ledgers a decision looks at. */
export function directoriesOf(facts: Pick<IssueFacts, "desired" | "attempts" | "policy">): readonly string[] {
  const { fallbackDirectoryUrl } = facts.policy;
  return [firstDirectory(facts), ...(fallbackDirectoryUrl === undefined ? [] : [fallbackDirectoryUrl])];
}

function reasonToRefuse({ desired, mode }: IssueFacts): OperatorError | undefined {
  const { lineage, current, problem, isKeptProduction } = desired;
  // The disk doesn't give its files back, so nothing is known to be wrong with the certificate.
  if (!current && problem?.code.startsWith("STORE_")) return problem;
  // Whoever types this wants to spare the production limits.
  const isStagingAsked = mode.staging || (mode.trigger === "command" && mode.forceRenewal);
  return isKeptProduction && isStagingAsked ? new ProductionKeptError(lineage) : undefined;
}

// A certificate that has come to its end where it lies shows that the folder lasts, whatever the mounts look like.
function obstacleToOrders(facts: IssueFacts): OperatorError | undefined {
  const { desired, storage, policy } = facts;
  if (desired.identifiers.some(isWildcard)) return new WildcardUnprovableError(desired.lineage);
  const validity = desired.current?.leaf.validity;
  if (storage.kind === "lasting" || (validity && facts.now >= lastResortAt(validity))) return undefined;
  const isPublic = candidates(facts).some((directoryUrl) => policy.isPublicCa(directoryUrl));
  return isPublic ? new EphemeralStorageError(desired.lineage, storage) : undefined;
}

type Current = { readonly until: Date; readonly because: "lifetime-left" | "renewal-info" };

function reasonToIssue(facts: IssueFacts): IssueReason | Current {
  const { desired, mode, policy, renewalInfo, now } = facts;
  const { current, currentDirectoryUrl, settings, identifiers } = desired;
  if (!current) return "missing";
  if (mode.forceRenewal) return "forced";
  const { leaf } = current;
  if (!sameIdentifiers(leaf.identifiers, identifiers)) return "names-changed";
  const wasStaging = currentDirectoryUrl !== undefined && policy.isStaging(currentDirectoryUrl);
  if (wasStaging && !policy.isStaging(settings.directoryUrl)) return "staging-replaced";
  const suggestedAt = leaf.certificateId ? renewalInfoMoment(renewalInfo, leaf.certificateId) : undefined;
  const plan = planRenewal({ validity: leaf.validity, suggestedAt }, now);
  return plan.kind === "due" ? plan.because : { until: plan.until, because: plan.because };
}
