import { planRenewal, sameIdentifiers, type OperatorError } from "../certificate/index.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
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
  /** The disk doesn't give its files back, so nothing is known to be wrong with it: an order would be spent in vain. */
  | { readonly kind: "unreadable"; readonly problem: OperatorError };

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
  const { problem } = desired;
  if (!desired.current && problem?.code.startsWith("STORE_")) return { kind: "unreadable", problem };
  const because = reasonToIssue(facts);
  if (typeof because !== "string") return { kind: "current", until: because.until };
  if (mode.trigger === "command") return { kind: "issue", because };
  if (policy.isRehearsalOnly) return { kind: "rehearsal-only", because };
  const until = heldUntil(facts.attempts, policy.settingsDigest, now);
  return until ? { kind: "hold", because, until } : { kind: "issue", because };
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

// A failure that lies in the future means that the clock has been set back: its back-off says nothing any more.
function heldUntil(attempts: AttemptState, settingsDigest: string, now: Date): Date | undefined {
  if (!attempts.nextAttemptAt || attempts.settingsDigest !== settingsDigest) return undefined;
  if (attempts.lastFailedAt && new Date(attempts.lastFailedAt) > now) return undefined;
  const until = new Date(attempts.nextAttemptAt);
  return until > now ? until : undefined;
}
