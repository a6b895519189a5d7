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
export { OrderInvalidError } from "./failures/order-errors.ts";
export { ChallengeFailedError, ProblemError, RateLimitedError } from "./failures/problem-errors.ts";
