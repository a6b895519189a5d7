import { isWildcard, planRenewal, sameIdentifiers, type OperatorError } from "../certificate/index.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
import { ProductionKeptError, WildcardUnprovableError } from "./errors.ts";
import type { AttemptState } from "./lineage-state.ts";
import type { Policy, RunMode } from "./policy.ts";

/** Why a new version is wanted. */
export type IssueReason = "missing" | "names-changed" | "staging-replaced" | "lifetime-left" | "forced";

/** What to do about one certificate on disk. */
export type IssueDecision =
  | { readonly kind: "issue"; readonly because: IssueReason }
  /** It is as it should be until `until`. */
  | { readonly kind: "current"; readonly until: Date }
  /** A new version is wanted, but the last try failed and the next one must wait. */
  | { readonly kind: "hold"; readonly because: IssueReason; readonly until: Date }
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
  readonly policy: Pick<Policy, "isStaging" | "isRehearsalOnly" | "settingsDigest">;
  readonly mode: RunMode;
  readonly now: Date;
};

/** Decides the next step towards a valid certificate on disk. Pure. */
export function decideIssue(facts: IssueFacts): IssueDecision {
  const { desired, mode, policy, now } = facts;
  if (!desired.settings.autorenew && !mode.forceRenewal) return { kind: "left-alone" };
  const problem = reasonToRefuse(facts);
  if (problem) return { kind: "refused", problem };
  const because = reasonToIssue(facts);
  if (typeof because !== "string") return { kind: "current", until: because.until };
  if (isImpossible(desired)) return { kind: "refused", problem: new WildcardUnprovableError(desired.lineage) };
  if (policy.isRehearsalOnly && mode.trigger !== "command") return { kind: "rehearsal-only", because };
  const until = heldByCa(facts) ?? (mode.trigger === "command" ? undefined : heldByUs(facts, now));
  return until ? { kind: "hold", because, until } : { kind: "issue", because };
}

function reasonToRefuse({ desired, mode }: IssueFacts): OperatorError | undefined {
  const { lineage, current, problem, isKeptProduction } = desired;
  // The disk doesn't give its files back, so nothing is known to be wrong with the certificate.
  if (!current && problem?.code.startsWith("STORE_")) return problem;
  // Whoever types this wants to spare the production limits.
  const isStagingAsked = mode.staging || (mode.trigger === "command" && mode.forceRenewal);
  return isKeptProduction && isStagingAsked ? new ProductionKeptError(lineage) : undefined;
}

function isImpossible({ identifiers }: DesiredCertificate): boolean {
  return identifiers.some(isWildcard);
}

function reasonToIssue({ desired, mode, policy, now }: IssueFacts): IssueReason | { readonly until: Date } {
  const { current, currentDirectoryUrl, settings, identifiers } = desired;
  if (!current) return "missing";
  if (mode.forceRenewal) return "forced";
  if (!sameIdentifiers(current.leaf.identifiers, identifiers)) return "names-changed";
  const wasStaging = currentDirectoryUrl !== undefined && policy.isStaging(currentDirectoryUrl);
  if (wasStaging && !policy.isStaging(settings.directoryUrl)) return "staging-replaced";
  const plan = planRenewal(current.leaf.validity, now);
  return plan.kind === "due" ? plan.because : { until: plan.until };
}

// What the CA asks for holds for everybody, an explicit command included; another CA has asked nothing.
function heldByCa({ attempts, desired, now }: IssueFacts): Date | undefined {
  const until = attempts.caHolds?.[desired.settings.directoryUrl];
  return until === undefined ? undefined : later(until, now);
}

// A failure that lies in the future means that the clock has been set back: its back-off says nothing any more.
function heldByUs({ attempts, policy }: IssueFacts, now: Date): Date | undefined {
  const { nextAttemptAt, settingsDigest, lastFailedAt } = attempts;
  if (!nextAttemptAt || settingsDigest !== policy.settingsDigest) return undefined;
  if (lastFailedAt && new Date(lastFailedAt) > now) return undefined;
  return later(nextAttemptAt, now);
}

function later(instant: string, now: Date): Date | undefined {
  const at = new Date(instant);
  return at > now ? at : undefined;
}
