export { createCertificateAuthority, type CertificateAuthorityParts } from "./certificate-authority.ts";
export { CaFailingError, CaUnreachableError, UnexpectedAnswerError } from "./failures/connection-errors.ts";
export { ChallengeFailedError, ProblemError, RateLimitedError } from "./failures/problem-errors.ts";
