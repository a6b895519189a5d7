export { accountIdOf } from "./account-id.ts";
export { isGlobalAddress, isPrivateAddress } from "./address.ts";
export { exactSetKey, planBudget, pruneSpending } from "./budget.ts";
export type { BudgetPlan, FailedValidation, SpentOrder, Spending } from "./budget.ts";
export { fallbackAt } from "./ca-choice.ts";
export { canonicalUrl, limitsOf, type CaLimits, type Limit } from "./ca-limits.ts";
export { certificateIdOf } from "./certificate-id.ts";
export { excerpt } from "./excerpt.ts";
export { errnoOf, hasErrno, unlessErrno } from "./errno.ts";
export { canonicalIp, identifierKey, isWildcard, namesBeyond, parseIdentifier, sameIdentifiers } from "./identifier.ts";
export type { Identifier } from "./identifier.ts";
export { KEY_TYPES, type KeyType } from "./key-type.ts";
export { isKeyOf, leafOf, readLeaf, type Leaf } from "./leaf.ts";
export { PROBE_EVERY_MS, planProbe, type ProbeFacts } from "./probe-plan.ts";
export { createSlots, mapLimited } from "./map-limited.ts";
export { createQueues } from "./one-at-a-time.ts";
export { asOperatorError, OperatorError, PlainError, toFailure, wordsOf } from "./operator-error.ts";
export type { Failure, FailureOrigin, WaitScope, RetryRule } from "./operator-error.ts";
export { certificatesIn } from "./pem.ts";
export { challengeFor, DEFAULT_KEY_TYPE } from "./order-settings.ts";
export type {
  ChallengeType,
  ChallengeUse,
  OrderSettings,
  OrderWish,
  ProfileChoice,
  WantedCertificate,
} from "./order-settings.ts";
export { printable } from "./printable.ts";
export { isRenewalInfoDue, nextRenewalInfoAt, renewalInfoMoment, takeRenewalInfo } from "./renewal-info.ts";
export type { RenewalInfoAnswer, RenewalInfoState } from "./renewal-info.ts";
export { alarmAt, lastResortAt, planRenewal, type RenewalPlan } from "./renewal-plan.ts";
export { planRetry } from "./retry-plan.ts";
export { splitWords, UnterminatedQuoteError } from "./split-words.ts";
export { der } from "./der.ts";
export { lifetimeMs, markAt, type Validity } from "./validity.ts";
export { earliest, lookAgainAt, lookSoonAt, soonest, whenNext, type Due, type NextFacts } from "./when-next.ts";
