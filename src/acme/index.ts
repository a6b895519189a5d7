export { accountId } from "./account.ts";
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
export { ChallengeNotOfferedError, OrderInvalidError, OrderTimedOutError } from "./order-errors.ts";
export type { Problem, Subproblem } from "./problem.ts";
export { ChallengeFailedError, ProblemError, RateLimitedError } from "./problem-errors.ts";
