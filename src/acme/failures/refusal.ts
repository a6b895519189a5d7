import { excerpt, type Identifier, type OperatorError } from "../../certificate/index.ts";
import type { HttpReply } from "../../ports/index.ts";
import { accountPaused, unpauseLink } from "./account-paused.ts";
import { CaFailingError, UnexpectedAnswerError } from "./connection-errors.ts";
import { problemName, problemWords, readProblem } from "./problem.ts";
import { ProblemError, RateLimitedError, retryRuleOf } from "./problem-errors.ts";
import { ACCOUNT, rateLimitScope } from "./rate-limit-scope.ts";
import { parseRetryAfter, retryTimeInWords } from "./retry-after.ts";
import { isStrayPage, redirectIn, WebPageError } from "./web-page.ts";

/** What a CA was asked. */
export type Asked = {
  readonly url: string;
  /** Finishes "when asked to …". */
  readonly doing: string;
  /** What the order is for; empty outside of orders. */
  readonly identifiers?: readonly Identifier[] | undefined;
};

/** Makes of a reply that isn't a success what the operator sees. */
export function refusalOf({ url, doing, identifiers = [] }: Asked, reply: HttpReply, now: Date): OperatorError {
  const { status } = reply;
  const problem = readProblem(parseJson(reply.text));
  const words = problem === undefined ? `${status} ${excerpt(reply.text, 200)}`.trim() : problemWords(problem);
  const limit = {
    // The header first: CAs make the text of the same number, and seconds hold even where our clock is wrong.
    notBefore: parseRetryAfter(reply.headers["retry-after"], now) ?? retryTimeInWords(problem?.detail ?? "", now),
    // A busy server is busy for everybody, whatever its words are.
    scope: problem === undefined || status >= 500 ? ACCOUNT : rateLimitScope(problem, identifiers),
  };
  const link = problem && unpauseLink(problem);
  if (problem && link) return accountPaused(doing, problem, { link, asked: url, retry: retryRuleOf(limit) });
  const isRateLimit = status === 429 || (problem !== undefined && problemName(problem) === "rateLimited");
  if (isRateLimit || (status === 503 && limit.notBefore !== undefined)) {
    const origin = status >= 500 ? "ca-failing" : "ca-refused";
    return new RateLimitedError(doing, words, { ...limit, origin });
  }
  if (isStrayPage(reply)) {
    return new WebPageError(url, reply, "wait for the next try, and ask whoever runs the CA if it stays");
  }
  if (status >= 500) return new CaFailingError(doing, status, words);
  if (problem !== undefined) return new ProblemError(doing, problem);
  return new UnexpectedAnswerError(url, `${words}${redirectIn(reply)}`, { status });
}

/** JSON of a body; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
