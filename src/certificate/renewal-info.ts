import { lifetimeMs, type Validity } from "./validity.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

// RFC 9773 §4.3.2: values under a minute and over a day may be taken for these.
const SHORTEST_POLL_MS = MINUTE_MS;
const LONGEST_POLL_MS = DAY_MS;

// RFC 9773 §4.3.3: after a long-term error, and after as many temporary ones as count as one. It is twice and more a day, as
// Let's Encrypt's integration guide asks.
const LONG_TERM_MS = 6 * HOUR_MS;
const TEMPORARY_STEPS_MS = [MINUTE_MS, 4 * MINUTE_MS, 16 * MINUTE_MS, HOUR_MS];

// Six hours are longer than some certificates live, so what we choose ourselves is at most a 24th of a life (RFC 9773 §4.3.3
// lets it be configured): it leaves the six hours of a six-day certificate as they are.
const SHARE_OF_LIFE = 1 / 24;

const LONGEST_SLOT_MS = 15 * MINUTE_MS;

// The moments of many clients must not meet again on whole hours.
const JITTER = 0.1;

/** What a CA said when asked for a certificate's renewal information (RFC 9773 §4.2). */
export type RenewalInfoAnswer =
  | {
      readonly kind: "window";
      readonly startAt: Date;
      /** After it begins (RFC 9773 §4.2). */
      readonly endAt: Date;
      /** Where the CA says why; for people. */
      readonly explanationUrl?: string | undefined;
      /** When it wants to be asked again; undefined where that was missing or made no sense. */
      readonly askAgainAt?: Date | undefined;
    }
  /** The CA's directory has no renewalInfo. */
  | { readonly kind: "unsupported" }
  /** A timeout or a 5xx: soon again. Anything else that is no answer: much later. */
  | { readonly kind: "temporary" | "long-term"; readonly reason: string };

/** What is remembered of the CA's answers for one certificate, between runs. Instants are ISO strings. */
export type RenewalInfoState = {
  /** The certificate these answers are about; those about another one say nothing. */
  readonly certificateId: string;
  readonly window?: { readonly startAt: string; readonly endAt: string } | undefined;
  /** The moment drawn in the window; drawn again only when the window changes. */
  readonly renewAt?: string | undefined;
  readonly explanationUrl?: string | undefined;
  /** The CA is asked again from then on. */
  readonly askAgainAt: string;
  /** Temporary errors in a row. */
  readonly failures: number;
  /** Why the last answer was none. */
  readonly problem?: string | undefined;
};

/** What the plans for renewal information depend on. */
export type RenewalInfoFacts = {
  readonly certificateId: string;
  readonly validity: Validity;
  readonly now: Date;
};

/** Whether the CA is to be asked now: not before it wants to, and never for a certificate that has expired. */
export function isRenewalInfoDue(known: RenewalInfoState | undefined, facts: RenewalInfoFacts): boolean {
  const { certificateId, validity, now } = facts;
  if (now >= validity.notAfter) return false;
  const askAgainAt = nextRenewalInfoAt(known, certificateId);
  return askAgainAt === undefined || now >= askAgainAt || isFarAhead(askAgainAt, now);
}

/** When the CA is to be asked next for this certificate, if it lives that long; undefined: it never was. */
export function nextRenewalInfoAt(known: RenewalInfoState | undefined, certificateId: string): Date | undefined {
  return known?.certificateId === certificateId ? readInstant(known.askAgainAt) : undefined;
}

/**
 * When to wake for a question that is due at `askAgainAt`: at the next of a row of moments that all certificates share, a thousandth
 * of the life or at most a quarter of an hour apart, so that many questions come together.
 */
export function wakeForRenewalInfo(askAgainAt: Date, validity: Validity): Date {
  const slotMs = Math.min(LONGEST_SLOT_MS, Math.max(1, lifetimeMs(validity) / 1000));
  return new Date(Math.ceil(askAgainAt.getTime() / slotMs) * slotMs);
}

/** The moment to renew at that was drawn in the CA's window for this certificate; undefined where there is none. */
export function renewalInfoMoment(known: RenewalInfoState | undefined, certificateId: string): Date | undefined {
  return known?.certificateId === certificateId ? readInstant(known.renewAt) : undefined;
}

/**
 * What is known after an answer (RFC 9773 §4.2, §4.3): a new window gets a moment drawn uniformly in it, the same window
 * keeps the one it has; an error keeps the window, and is followed by a try soon, or in six hours, or in a share of a short
 * life. `random` gives a number in [0, 1).
 */
export function takeRenewalInfo(
  known: RenewalInfoState | undefined,
  answer: RenewalInfoAnswer,
  facts: RenewalInfoFacts,
  random: () => number,
): RenewalInfoState {
  const { certificateId } = facts;
  const before = known?.certificateId === certificateId ? known : undefined;
  switch (answer.kind) {
    case "unsupported":
      return { certificateId, askAgainAt: later(LONGEST_POLL_MS, facts, random), failures: 0 };
    case "temporary":
    case "long-term": {
      const failures = answer.kind === "temporary" ? (before?.failures ?? 0) + 1 : 0;
      const askAgainAt = later(TEMPORARY_STEPS_MS[failures - 1] ?? LONG_TERM_MS, facts, random);
      return { ...before, certificateId, askAgainAt, failures, problem: answer.reason };
    }
    case "window":
      return takeWindow(before, answer, facts, random);
  }
}

type WindowAnswer = Extract<RenewalInfoAnswer, { readonly kind: "window" }>;

function takeWindow(
  before: RenewalInfoState | undefined,
  answer: WindowAnswer,
  facts: RenewalInfoFacts,
  random: () => number,
): RenewalInfoState {
  const { startAt, endAt, askAgainAt: wantedAt, explanationUrl } = answer;
  const { certificateId, now } = facts;
  const window = { startAt: startAt.toISOString(), endAt: endAt.toISOString() };
  const isSame = before?.window?.startAt === window.startAt && before.window.endAt === window.endAt;
  const drawnAt = isSame ? readInstant(before.renewAt) : undefined;
  const renewAt = (drawnAt ?? drawMoment(answer, random)).toISOString();
  const askAgainAt = wantedAt ? clampPoll(wantedAt, now).toISOString() : later(LONG_TERM_MS, facts, random);
  return { certificateId, window, renewAt, explanationUrl, askAgainAt, failures: 0 };
}

function drawMoment({ startAt, endAt }: WindowAnswer, random: () => number): Date {
  return new Date(startAt.getTime() + Math.floor(random() * (endAt.getTime() - startAt.getTime())));
}

function clampPoll(at: Date, now: Date): Date {
  const ms = Math.min(Math.max(at.getTime() - now.getTime(), SHORTEST_POLL_MS), LONGEST_POLL_MS);
  return new Date(now.getTime() + ms);
}

function later(ms: number, { validity, now }: RenewalInfoFacts, random: () => number): string {
  const cappedMs = Math.min(ms, Math.max(SHORTEST_POLL_MS, lifetimeMs(validity) * SHARE_OF_LIFE));
  return new Date(now.getTime() + cappedMs * (1 + JITTER * random())).toISOString();
}

// No answer puts the next question off by more than a day, so the clock has been set back since.
function isFarAhead(at: Date, now: Date): boolean {
  return at.getTime() - now.getTime() > LONGEST_POLL_MS * (1 + 2 * JITTER);
}

// The state is a file that anybody may have edited: what makes no sense was never written.
function readInstant(text: string | undefined): Date | undefined {
  const at = new Date(text ?? "");
  return Number.isNaN(at.getTime()) ? undefined : at;
}
