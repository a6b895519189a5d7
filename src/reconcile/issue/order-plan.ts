import {
  earliest,
  fallbackAt,
  lastResortAt,
  limitsOf,
  planBudget,
  planProbe,
  soonest,
  toFailure,
  type Failure,
} from "../../certificate/index.ts";
import { activeWait, ownWait, LONGEST_WAIT_MS } from "./ca/wait.ts";
import { BudgetExceededError, HastyRenewalInfoError } from "../errors.ts";
import type { IssueFacts, IssueReason } from "./facts.ts";

/** Whether an order for a wanted version may go out now, and where to. */
export type OrderPlan =
  | {
      readonly kind: "issue";
      readonly because: IssueReason;
      readonly directoryUrl: string;
      /** The CA counts it against no limit. */
      readonly isExempt: boolean;
      /** The limit that it goes beyond: the certificate is about to lapse. */
      readonly overridden?: string | undefined;
    }
  | {
      readonly kind: "hold";
      readonly because: IssueReason;
      readonly until: Date;
      readonly problem?: Failure | undefined;
      /** A probe of one of the CAs with these directories may end the wait now. Named as `status --json` shows it. */
      readonly looks?: readonly string[] | undefined;
      /** When something other than time may have ended the wait: the CA answers again, or it is the fallback CA's turn. */
      readonly recheckAt?: Date | undefined;
    };

type Waiting = Extract<OrderPlan, { readonly kind: "hold" }>;

/** Plans the order for a version that is wanted: at the first of the CAs in question that takes it now. Pure. */
export function planOrder(facts: IssueFacts, because: IssueReason): OrderPlan {
  const plans = candidates(facts).map((directoryUrl) => planAt(facts, because, directoryUrl));
  const issue = plans.find(({ kind }) => kind === "issue");
  if (issue) return issue;
  const [first, ...others] = plans.filter((plan) => plan.kind === "hold");
  if (!first) throw new Error("there is no CA to order at");
  const turnAt = turnOfFallback(facts);
  const waiting = [first, ...others] as const;
  return {
    ...soonest(waiting, turnAt && turnAt > facts.now ? turnAt : undefined),
    looks: waiting.flatMap(({ looks = [] }) => looks),
  };
}

/** The CA that a lineage belongs to, whichever helped out last. */
export function firstDirectory({ desired, attempts, policy }: CaFacts): string {
  const { directoryUrl } = desired.settings;
  const isHelpersOwn = directoryUrl === attempts.fallback?.at && directoryUrl !== policy.directoryUrl;
  return isHelpersOwn ? attempts.fallback.first : directoryUrl;
}

type CaFacts = Pick<IssueFacts, "desired" | "attempts" | "policy">;

/** The CAs to order at, in order of preference; at least one. Once it is the fallback's turn the two are tried by turns. */
export function candidates(facts: IssueFacts): readonly string[] {
  const { attempts, policy, now } = facts;
  const first = firstDirectory(facts);
  const fallback = policy.fallbackDirectoryUrl;
  const turnAt = turnOfFallback(facts);
  if (fallback === undefined || !turnAt || now < turnAt) return [first];
  return attempts.lastDirectoryUrl === fallback ? [first, fallback] : [fallback, first];
}

function turnOfFallback(facts: IssueFacts): Date | undefined {
  const { attempts, desired, policy, ledgerOf, now } = facts;
  const first = firstDirectory(facts);
  if (policy.fallbackDirectoryUrl === undefined || first !== policy.directoryUrl) return undefined;
  // Failures with other settings say nothing of these.
  const { caFailingSince, caFailures = 0 } = attempts.settingsDigest === policy.settingsDigest ? attempts : {};
  // While the first CA is left alone nothing fails there, and for most certificates nothing has.
  const leftAlone = ownWait(ledgerOf(first), policy.settingsDigest, now);
  const since = caFailingSince ?? leftAlone?.askedAt;
  const failures = leftAlone ? Number.POSITIVE_INFINITY : caFailures;
  const validity = desired.current?.leaf.validity;
  return fallbackAt({ failures, failingSince: since === undefined ? undefined : new Date(since), validity });
}

function planAt(facts: IssueFacts, because: IssueReason, directoryUrl: string): OrderPlan {
  const { desired, ledgerOf, paidAt, policy, request, now } = facts;
  const isPatient = request.trigger !== "command" && !isLastResort(facts);
  const settingsDigest = isPatient ? policy.settingsDigest : undefined;
  const asked = activeWait(ledgerOf(directoryUrl), { identifiers: desired.identifiers, settingsDigest }, now);
  // What the CA asks for holds for everybody, an explicit command included; another CA has asked nothing.
  if (asked) return { kind: "hold", because, until: new Date(asked.until), problem: asked.failure };
  const isExempt = isExemptAt(facts, because, directoryUrl);
  const budget = budgetAt(facts, directoryUrl, isExempt);
  if (budget && "until" in budget && paidAt !== directoryUrl) {
    const problem = toFailure(new BudgetExceededError(desired.lineage, directoryUrl, budget));
    return { kind: "hold", because, until: budget.until, problem, recheckAt: lastResortOf(facts) };
  }
  const overridden = budget && "overridden" in budget ? budget.overridden : undefined;
  return ownPause(facts, because, directoryUrl) ?? { kind: "issue", because, directoryUrl, isExempt, overridden };
}

/** What the CA's limits say of the order: undefined when nothing. A certificate must not lapse for a count of ours. */
function budgetAt(facts: IssueFacts, directoryUrl: string, isExempt: boolean) {
  const { desired, ledgerOf, now } = facts;
  const limits = limitsOf(directoryUrl);
  if (!limits) return undefined;
  const { spending } = ledgerOf(directoryUrl);
  const order = { identifiers: desired.identifiers, isExempt };
  const budget = planBudget(limits, spending, order, now);
  if (budget.kind === "within") return undefined;
  if (!isLastResort(facts)) return budget;
  // A name that failed five times within the hour fails again: that count is kept in any case.
  const proofs = planBudget(limits, { ...spending, orders: [] }, order, now);
  return proofs.kind === "exceeded" ? proofs : { overridden: budget.limit };
}

// RFC 9773 §5 and Let's Encrypt's rate limits: exempt is what replaces a certificate within the window that the CA suggests.
// A certificate is replaced once: a try after one that failed may be refused as that, and counts then.
function isExemptAt(facts: IssueFacts, because: IssueReason, directoryUrl: string): boolean {
  const { attempts, desired, renewalInfo, now } = facts;
  const { window } = renewalInfo ?? {};
  if (attempts.failures > 0) return false;
  if (because !== "renewal-info" || desired.currentDirectoryUrl !== directoryUrl || !window) return false;
  return now >= new Date(window.startAt) && now < new Date(window.endAt);
}

/** When a count of ours will hold the order up no longer; undefined when that moment has been. */
function lastResortOf({ desired, now }: IssueFacts): Date | undefined {
  const validity = desired.current?.leaf.validity;
  const at = validity && lastResortAt(validity);
  return at && at > now ? at : undefined;
}

/** Whether the certificate is about to lapse; one that has is no reason any more. */
function isLastResort({ desired, now }: Pick<IssueFacts, "desired" | "now">): boolean {
  const validity = desired.current?.leaf.validity;
  return validity !== undefined && now >= lastResortAt(validity) && now < validity.notAfter;
}

/** Whether the pause after the last failure isn't over. One in the future, by a clock that was set back since, says nothing. */
export function ownPause(facts: IssueFacts, because: IssueReason, directoryUrl: string): Waiting | undefined {
  const { attempts, desired, policy, request, now } = facts;
  const { nextAttemptAt, settingsDigest, lastFailedAt, lastFailure } = attempts;
  if (request.trigger === "command" || !nextAttemptAt || settingsDigest !== policy.settingsDigest) return undefined;
  if (lastFailedAt && new Date(lastFailedAt) > now) return undefined;
  if (directoryUrl === policy.fallbackDirectoryUrl && !attempts.isFallbackTried) return undefined;
  const until = new Date(nextAttemptAt);
  const waitMs = until.getTime() - now.getTime();
  if (waitMs <= 0 || waitMs > LONGEST_WAIT_MS) return undefined;
  if (attempts.failures === 0) {
    return { kind: "hold", because, until, problem: toFailure(new HastyRenewalInfoError(desired.lineage)) };
  }
  const waiting: Waiting = { kind: "hold", because, until, problem: lastFailure };
  const plan = probePlan(facts, directoryUrl);
  if (!plan) return waiting;
  const { probe } = facts;
  const isAnswering = probe?.answering.includes(directoryUrl) ?? false;
  if (isAnswering && now >= plan.liftsAt) return undefined;
  if (now >= plan.probeAt && !isAnswering) return { ...waiting, looks: [directoryUrl], recheckAt: probe?.nextAt };
  return { ...waiting, recheckAt: earliest(plan.probeAt > now ? plan.probeAt : plan.liftsAt, probe?.nextAt) };
}

function probePlan({ attempts, desired, now }: IssueFacts, directoryUrl: string) {
  const failure = attempts.atCa?.[directoryUrl];
  if (!failure) return undefined;
  const { origin, isSeenDown = false } = failure;
  const failedAt = new Date(failure.failedAt);
  return planProbe({ origin, failedAt, isSeenDown, validity: desired.current?.leaf.validity }, now);
}
