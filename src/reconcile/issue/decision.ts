import {
  challengeFor,
  isWildcard,
  lastResortAt,
  planRenewal,
  renewalInfoMoment,
  sameIdentifiers,
  type Identifier,
  type Leaf,
  type OperatorError,
  type RenewalPlan,
} from "../../certificate/index.ts";
import { EphemeralStorageError, ProductionKeptError, WildcardUnprovableError } from "../errors.ts";
import { candidates, firstDirectory, ownPause, planOrder, type OrderPlan } from "./order-plan.ts";
import type { IssueFacts, IssueReason } from "./facts.ts";

/** What to do about one certificate on disk. */
export type IssueDecision =
  /** A new version is wanted: an order goes out, or must wait. */
  | OrderPlan
  /** A version that was put back is shown again, in the place of an order. */
  | { readonly kind: "show-again"; readonly version: number }
  /** It is as it should be until `until`, which the CA has suggested or its own life says. */
  | { readonly kind: "current"; readonly until: Date; readonly because: "lifetime-left" | "renewal-info" }
  /** A new version is wanted, but `--dry-run` stands in the settings. */
  | { readonly kind: "rehearsal-only"; readonly because: IssueReason }
  /** `autorenew = False`: an operator wants it left alone. */
  | { readonly kind: "left-alone" }
  /** An order would be spent in vain, or do harm. */
  | { readonly kind: "refused"; readonly problem: OperatorError };

/** Decides the next step towards a valid certificate on disk. Pure. */
export function decideIssue(facts: IssueFacts): IssueDecision {
  const { desired, request, policy } = facts;
  if (!desired.settings.autorenew && !request.isForced) return { kind: "left-alone" };
  const problem = reasonToRefuse(facts);
  if (problem) return { kind: "refused", problem };
  const again = planPutBack(facts);
  if (again) return again;
  const because = reasonToIssue(facts);
  if (typeof because !== "string") return { ...because, kind: "current" };
  const obstacle = obstacleToOrders(facts);
  if (obstacle) return { kind: "refused", problem: obstacle };
  if (policy.isRehearsalOnly && request.trigger !== "command") return { kind: "rehearsal-only", because };
  return planOrder(facts, because);
}

/** The directories whose ledgers a decision looks at. */
export function directoriesOf(facts: Pick<IssueFacts, "desired" | "attempts" | "policy">): readonly string[] {
  const { fallbackDirectoryUrl } = facts.policy;
  return [firstDirectory(facts), ...(fallbackDirectoryUrl === undefined ? [] : [fallbackDirectoryUrl])];
}

function reasonToRefuse({ desired, request }: IssueFacts): OperatorError | undefined {
  const { lineage, current, problem, isKeptProduction } = desired;
  // The disk doesn't give its files back, so nothing is known to be wrong with the certificate.
  if (!current && problem?.code.startsWith("STORE_")) return problem;
  if (desired.unknownBecause) return desired.unknownBecause;
  // Whoever types this wants to spare the production limits.
  const isStagingAsked =
    request.order?.directoryUrl !== undefined || (request.trigger === "command" && request.isForced);
  return isKeptProduction && isStagingAsked ? new ProductionKeptError(lineage) : undefined;
}

// A certificate that has come to its end where it lies shows that the folder lasts, whatever the mounts look like.
function obstacleToOrders(facts: IssueFacts): OperatorError | undefined {
  const { desired, storage, policy } = facts;
  if (desired.waitsFor) return desired.waitsFor;
  const isUnprovable = (one: Identifier) => challengeFor(desired.settings.challenges, one)?.type !== "dns-01";
  if (desired.identifiers.filter(isWildcard).some(isUnprovable)) return new WildcardUnprovableError(desired.lineage);
  const validity = desired.current?.leaf.validity;
  if (storage.kind === "lasting" || (validity && facts.now >= lastResortAt(validity))) return undefined;
  const isPublic = candidates(facts).some((directoryUrl) => policy.isPublicCa(directoryUrl));
  return isPublic ? new EphemeralStorageError(desired.lineage, storage) : undefined;
}

// What was put back is paid for: it is ordered anew where it is due itself, or isn't what is wanted. Who names another kind of key
// may have been told by nginx to.
function planPutBack(facts: IssueFacts): IssueDecision | undefined {
  const { putBack, desired, attempts, request } = facts;
  if (!putBack || request.isForced || isStagingToReplace(facts)) return undefined;
  const { currentKeyType, settings } = desired;
  if (!sameIdentifiers(putBack.leaf.identifiers, desired.identifiers) || currentKeyType !== settings.keyType)
    return undefined;
  if (planOf(facts, putBack.leaf).kind === "due") return undefined;
  // Without a failure no target has said anything yet: a death came in between.
  const pause = attempts.failures > 0 ? ownPause(facts, "put-back", firstDirectory(facts)) : undefined;
  return pause ?? { kind: "show-again", version: putBack.version };
}

function reasonToIssue(facts: IssueFacts): IssueReason | Extract<RenewalPlan, { readonly kind: "wait" }> {
  const { desired, request } = facts;
  const { current, identifiers } = desired;
  if (!current) return "missing";
  if (request.isForced) return "forced";
  if (!sameIdentifiers(current.leaf.identifiers, identifiers)) return "names-changed";
  if (isStagingToReplace(facts)) return "staging-replaced";
  const plan = planOf(facts, current.leaf);
  return plan.kind === "due" ? plan.because : plan;
}

function isStagingToReplace({ desired: { current, currentDirectoryUrl, settings }, policy }: IssueFacts): boolean {
  // Without a conf the issuer's own word is all there is.
  const wasStaging =
    currentDirectoryUrl === undefined
      ? current?.leaf.issuer.includes("(STAGING)") === true
      : policy.isStaging(currentDirectoryUrl);
  return wasStaging && !policy.isStaging(settings.directoryUrl);
}

function planOf({ desired, renewalInfo, now }: IssueFacts, { certificateId, validity }: Leaf): RenewalPlan {
  const suggestedAt = certificateId ? renewalInfoMoment(renewalInfo, certificateId) : undefined;
  return planRenewal({ validity, suggestedAt, renewBeforeMs: desired.settings.renewBeforeMs }, now);
}
