import { asOperatorError, type OperatorError, type RenewalInfoAnswer } from "../certificate/index.ts";
import type { HttpReply } from "../ports/index.ts";
import type { Ca } from "./ca.ts";
import { CaFailingError, CaUnreachableError, UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { isRecord, oneLine } from "./failures/problem.ts";
import { ProxyFailedError } from "./failures/proxy-failed.ts";
import { parseJson, refusalOf } from "./failures/refusal.ts";
import { parseRetryAfter } from "./failures/retry-after.ts";

/**
 * Asks for the renewal information of a certificate (RFC 9773 §4). Every trouble is an answer of its own; throws only the
 * signal's reason.
 */
export async function askRenewalInfo(ca: Ca, certificateId: string, signal: AbortSignal): Promise<RenewalInfoAnswer> {
  try {
    const { renewalInfo } = await ca.directory(signal);
    if (renewalInfo === undefined) return { kind: "unsupported" };
    const url = `${renewalInfo.replace(/\/$/, "")}/${certificateId}`;
    const reply = await ca.transport({ url, method: "GET", signal });
    const now = ca.clock.now();
    if (reply.status !== 200) throw refusalOf({ url, doing: "give renewal information" }, reply, now);
    return { ...readWindow(url, reply), askAgainAt: parseRetryAfter(reply.headers["retry-after"], now) };
  } catch (thrown) {
    signal.throwIfAborted();
    // It may be the address that is no longer right.
    ca.forgetDirectory();
    const error = asOperatorError(thrown);
    return { kind: isTemporary(error) ? "temporary" : "long-term", reason: oneLine(error.message) };
  }
}

// RFC 9773 §4.3.3. A CA that asks for patience by 429, or 503 with a time, is left alone for the longer while too: to come back
// within a minute is what it asked us not to do. These are not among the classes here.
function isTemporary(error: OperatorError): boolean {
  if (error instanceof CaUnreachableError) return !error.isLasting;
  return error instanceof CaFailingError || error instanceof ProxyFailedError;
}

function readWindow(url: string, { text }: HttpReply) {
  const data = parseJson(text);
  const window = isRecord(data) ? data["suggestedWindow"] : undefined;
  if (!isRecord(data) || !isRecord(window)) throw nonsense(url, "without a suggestedWindow");
  const startAt = readTime(window["start"]);
  const endAt = readTime(window["end"]);
  if (startAt === undefined || endAt === undefined) throw nonsense(url, "whose window has no times of RFC 3339");
  // RFC 9773 §4.2: to be treated as no answer. A window that has passed is one: it means now.
  if (endAt <= startAt) throw nonsense(url, `whose window ends at ${endAt.toISOString()}, before it begins`);
  return { kind: "window" as const, startAt, endAt, explanationUrl: readWebAddress(data["explanationURL"]) };
}

function nonsense(url: string, words: string): UnexpectedAnswerError {
  return new UnexpectedAnswerError(url, `renewal information ${words}`);
}

const RFC_3339 = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function readTime(text: unknown): Date | undefined {
  const [whole, day] = (typeof text === "string" && RFC_3339.exec(text.toUpperCase())) || [];
  if (whole === undefined || day === undefined) return undefined;
  const at = new Date(whole);
  // Date finds 30 February in March.
  const isInCalendar = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day);
  return isInCalendar && !Number.isNaN(at.getTime()) ? at : undefined;
}

const LONGEST_URL = 2000;

// It ends as a link in front of people, so it is a web page or nothing.
function readWebAddress(text: unknown): string | undefined {
  const url = typeof text === "string" && text.length <= LONGEST_URL ? URL.parse(text) : null;
  return url !== null && (url.protocol === "https:" || url.protocol === "http:") ? url.href : undefined;
}
