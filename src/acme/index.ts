export {
  ExternalAccountKeyError,
  ExternalAccountRefusedError,
  ExternalAccountRequiredError,
  KeyChangeNotOfferedError,
  NoAccountError,
  RehearsalAccountError,
} from "./account-errors.ts";
export { accountId } from "./account-key.ts";
export { AccountPausedError } from "./account-paused.ts";
export type { CaaLookup, CaaRecord } from "./caa.ts";
export { createCertificateAuthority } from "./certificate-authority.ts";
export type { CertificateAuthorityParts } from "./certificate-authority.ts";
export {
  CaBundleUnreadableError,
  CaFailingError,
  CaUnreachableError,
  CaUntrustedError,
  NotAnAcmeDirectoryError,
  PlainHttpError,
  UnexpectedAnswerError,
} from "./connection-errors.ts";
export {
  ChallengeNotOfferedError,
  KeyNotReusableError,
  OrderInvalidError,
  OrderTimedOutError,
  ProfileNotOfferedError,
} from "./order-errors.ts";
export type { Problem, Subproblem } from "./problem.ts";
export { ChallengeFailedError, ProblemError, RateLimitedError } from "./problem-errors.ts";
export type { CaReply, CaRequest, Transport } from "./transport.ts";
