export {
  ExternalAccountKeyError,
  ExternalAccountRefusedError,
  ExternalAccountRequiredError,
  KeyChangeNotOfferedError,
  NoAccountError,
  RehearsalAccountError,
} from "./failures/account-errors.ts";
export { AccountPausedError } from "./failures/account-paused.ts";
export { createCertificateAuthority } from "./certificate-authority.ts";
export type { CertificateAuthorityParts } from "./certificate-authority.ts";
export {
  CaFailingError,
  CaUnreachableError,
  CaUntrustedError,
  NotAnAcmeDirectoryError,
  PlainHttpError,
  UnexpectedAnswerError,
} from "./failures/connection-errors.ts";
export {
  ChallengeNotOfferedError,
  KeyNotReusableError,
  OrderInvalidError,
  OrderTimedOutError,
  ProfileNotOfferedError,
} from "./failures/order-errors.ts";
export type { Problem, Subproblem } from "./failures/problem.ts";
export { ChallengeFailedError, ProblemError, RateLimitedError } from "./failures/problem-errors.ts";
