import type { OperatorError } from "../certificate/index.ts";
import { CaFailingError, UnexpectedAnswerError } from "./connection-errors.ts";
import { ACME_ERROR, problemWords, readProblem } from "./problem.ts";
import { ProblemError, RateLimitedError } from "./problem-errors.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { CaReply } from "./transport.ts";

/** Makes of a reply that isn't a success what the operator sees; `doing` finishes "when asked to …". */
export function refusalOf(url: string, doing: string, reply: CaReply, now: Date): OperatorError {
  const { status } = reply;
  const problem = readProblem(parseJson(reply.text));
  const words = problem === undefined ? `${status} ${excerpt(reply.text)}`.trim() : problemWords(problem);
  const notBefore = parseRetryAfter(reply.headers["retry-after"], now);
  const isRateLimit = status === 429 || problem?.type === `${ACME_ERROR}rateLimited`;
  if (isRateLimit || (status === 503 && notBefore !== undefined)) return new RateLimitedError(doing, words, notBefore);
  if (status >= 500) return new CaFailingError(doing, status, words);
  if (problem !== undefined && status >= 400) return new ProblemError(doing, problem);
  const redirect = reply.headers["location"];
  const target = status >= 300 && status < 400 && redirect !== undefined ? `, a redirect to ${redirect}` : "";
  return new UnexpectedAnswerError(url, `${words}${target}`);
}

/** JSON of a body; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function excerpt(text: string): string {
  return text
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, 200);
}
