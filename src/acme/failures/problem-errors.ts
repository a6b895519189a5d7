import {
  type FailureOrigin,
  type WaitScope,
  type Identifier,
  OperatorError,
  type RetryRule,
} from "../../certificate/index.ts";
import { describeFailedProof, type FailedProof, isUnverified, meaningOfProof } from "./failed-proof.ts";
import { oneLine, type Problem, problemName, problemWords } from "./problem.ts";
import { isCaFailing, joinRemedies, meaningOf } from "./problem-meanings.ts";
import { scopeWords } from "./rate-limit-scope.ts";

/** The CA refused a request with a problem document. `problem.type` is what code branches on. */
export class ProblemError extends OperatorError {
  readonly code: string;
  readonly remedy: string;
  override readonly origin: FailureOrigin;
  readonly doing: string;
  readonly problem: Problem;

  /** `doing` finishes the sentence "The CA refused to …"; `notes` are what we found out ourselves. */
  constructor(doing: string, problem: Problem, notes: readonly string[] = []) {
    const more = [...(problem.instance === undefined ? [] : [problem.instance]), ...notes].join("; ");
    super(oneLine(`The CA refused to ${doing}: ${problemWords(problem)}${more === "" ? "" : ` (${more})`}`));
    const { code, remedy } = meaningOf(problem);
    this.code = code;
    this.remedy = remedy;
    this.origin = isCaFailing(problem) ? "ca-failing" : "ca-refused";
    this.doing = doing;
    this.problem = problem;
  }
}

/** How long a CA wants to be left alone (429, or 503 with a time: RFC 8555 §6.6), and with which orders. */
export type RateLimit = { readonly notBefore?: Date | undefined; readonly scope: WaitScope };

/** Without a time the back-off decides: each failure is followed by a longer pause. */
export function retryRuleOf({ notBefore, scope }: RateLimit): RetryRule {
  return notBefore === undefined ? "next-run" : { notBefore, scope };
}

/** A limit of the CA is reached; the message says for which orders and until when. The daemon waits that long. */
export class RateLimitedError extends OperatorError {
  readonly code = "ACME_RATE_LIMITED";
  readonly remedy = "Leave the daemon running, it waits as long as the CA asks; use the staging CA while testing.";
  override readonly retry: RetryRule;
  override readonly origin: FailureOrigin;

  /** `doing` and `words` as in {@link ProblemError}; `origin` is "ca-failing" for a CA that is merely busy. */
  constructor(doing: string, words: string, { notBefore, scope, origin }: RateLimit & { origin: FailureOrigin }) {
    const until = notBefore === undefined ? "" : ` until ${notBefore.toISOString()}`;
    super(`The CA refused to ${doing}${until}: ${words} (it holds for ${scopeWords(scope)})`);
    this.retry = retryRuleOf({ notBefore, scope });
    this.origin = origin;
  }
}

// Names that fail together mostly fail alike.
const MOST_DESCRIBED = 10;

/** The CA checked one or more proofs and did not find them (RFC 8555 §7.5.1). */
export class ChallengeFailedError extends OperatorError {
  readonly code: string;
  readonly remedy: string;
  override readonly origin: FailureOrigin;
  override readonly unverified: readonly Identifier[];
  readonly failures: readonly FailedProof[];

  /** `failures` holds at least one. */
  constructor(failures: readonly FailedProof[]) {
    super(`The CA could not verify ${describeAll(failures)}`);
    const meanings = failures.map(meaningOfProof);
    const codes = new Set(meanings.map(({ code }) => code));
    this.code = codes.size === 1 ? (meanings[0]?.code ?? SEVERAL) : SEVERAL;
    this.remedy = joinRemedies(meanings);
    const isOnlyTheCa = failures.every(({ problem }) => problemName(problem) === "serverInternal");
    this.origin = isOnlyTheCa ? "ca-failing" : "proof";
    this.unverified = failures.filter(isUnverified).map(({ identifier }) => identifier);
    this.failures = failures;
  }
}

const SEVERAL = "ACME_CHALLENGE_FAILED";

function describeAll(failures: readonly FailedProof[]): string {
  const parts = failures.slice(0, MOST_DESCRIBED).map((failure) => oneLine(describeFailedProof(failure)));
  const others = failures.slice(MOST_DESCRIBED).map(({ identifier }) => identifier.value);
  return [...parts, ...(others.length === 0 ? [] : [`and ${others.join(", ")}`])].join(" | ");
}
