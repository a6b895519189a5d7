import { wakeForRenewalInfo } from "./renewal-info.ts";
import { alarmAt, lastResortAt } from "./renewal-plan.ts";
import type { Validity } from "./validity.ts";

const LOOK_AGAIN_MS = 10 * 60_000;
const LOOK_SOON_MS = 5000;
const YOUNG_MS = 60_000;

/**
 * When something is due by itself, and why: `renewal` and `try` are steps; the others only look whether a step has become possible
 * (`look`), how things are where the life of a certificate comes to its end (`mark`), or what the CA suggests (`question`).
 */
export type Due = { readonly at: Date; readonly why: "renewal" | "try" | "look" | "mark" | "question" };

/** What is known of one certificate when a decision on it has been made. */
export type NextFacts = {
  readonly now: Date;
  /** The life of the version on disk; absent where there is none. */
  readonly validity?: Validity | undefined;
  /** The version on disk is good until then. */
  readonly renewAt?: Date | undefined;
  /** Another version is owed, which may be tried then. */
  readonly tryAt?: Date | undefined;
  /** Something other than time may have ended the wait by then. */
  readonly lookAt?: Date | undefined;
  /** The CA of the version on disk is to be asked then when to renew it; absent where there is none to ask. */
  readonly questionAt?: Date | undefined;
  /** The version has just been put on disk: its CA is asked when it is served. */
  readonly isNew?: boolean | undefined;
};

/**
 * Says when something is due for one certificate, the soonest first; nothing where nothing is done by itself. What should have
 * been by now is due now. As long as a version is owed, the moments of its life that mean something are not slept through.
 */
export function whenNext(facts: NextFacts): readonly Due[] {
  const { now, validity, renewAt, tryAt, lookAt } = facts;
  const marks = validity && tryAt ? [alarmAt(validity), lastResortAt(validity)] : [];
  const due = [
    ...moments("renewal", renewAt),
    ...moments("try", tryAt),
    ...moments("look", lookAt),
    ...moments("mark", ...marks.filter((at) => tryAt && now < at && at < tryAt)),
    ...moments("question", askAt(facts)),
  ];
  const notBefore = due.map(({ at, why }) => ({ at: at < now ? now : at, why }));
  return notBefore.sort((a, b) => a.at.getTime() - b.at.getTime());
}

function moments(why: Due["why"], ...at: readonly (Date | undefined)[]): readonly Due[] {
  return at.flatMap((one) => (one ? [{ at: one, why }] : []));
}

// What was not asked though its time has come can't be: there is no CA to ask.
function askAt({ now, validity, questionAt, isNew }: NextFacts): Date | undefined {
  if (isNew) return now;
  if (!questionAt || !validity || now >= questionAt || now >= validity.notAfter) return undefined;
  return wakeForRenewalInfo(questionAt, validity);
}

/** When to look again after what nobody and no moment known ends. */
export function lookAgainAt(now: Date): Date {
  return new Date(now.getTime() + LOOK_AGAIN_MS);
}

/**
 * The same for what may not be there yet as all of us have only just started, like a socket proxy's rules: soon, and more and more
 * seldom, until whoever began `since` is a minute old.
 */
export function lookSoonAt(now: Date, since: Date | undefined): Date {
  const ageMs = since ? now.getTime() - since.getTime() : Number.NaN;
  const isYoung = ageMs >= 0 && ageMs < YOUNG_MS;
  return isYoung ? new Date(now.getTime() + Math.max(LOOK_SOON_MS, ageMs)) : lookAgainAt(now);
}

/** What keeps an order from going out: for how long, and when it is worth a look before that. */
export type Wait = { readonly until: Date; readonly recheckAt?: Date | undefined };

/** Where several CAs are in question the order goes to the one that takes it first; `turnAt` is when another one comes in question. */
export function soonest<Waiting extends Wait>(
  waits: readonly [Waiting, ...Waiting[]],
  turnAt: Date | undefined,
): Waiting {
  const first = waits.reduce((a, b) => (b.until < a.until ? b : a));
  const recheckAt = earliest(...waits.map((one) => one.recheckAt), turnAt);
  return { ...first, recheckAt: recheckAt && recheckAt < first.until ? recheckAt : undefined };
}

/** The earliest of some moments; undefined where there is none. */
export function earliest(...at: readonly (Date | undefined)[]): Date | undefined {
  return at.filter((one) => one !== undefined).reduce<Date | undefined>((a, b) => (a && a <= b ? a : b), undefined);
}
