import type { Failure, FailureOrigin } from "../certificate/index.ts";
import type { Try } from "./lineage-state.ts";

type Tries = readonly Try[];

/** What the tries come to: what decisions ask, and what `status --json` shows. Instants are ISO strings. */
export type Attempts = {
  /** Failures in a row, orders or versions that a target refused; 0 after a success. */
  readonly failures: number;
  /** Set while an order is under way; found at start, it means that the last process died in it. */
  readonly startedAt?: string | undefined;
  /** No try before this instant. */
  readonly nextAttemptAt?: string | undefined;
  readonly lastFailure?: Failure | undefined;
  readonly lastFailedAt?: string | undefined;
  readonly lastSuccessAt?: string | undefined;
  /** Directory URL of the CA that was tried last. */
  readonly lastDirectoryUrl?: string | undefined;
  /** The last failure at each CA, by directory URL, for as long as nothing has succeeded since. */
  readonly atCa?: Readonly<Record<string, CaFailure | undefined>> | undefined;
  /** The names that were tried last: see {@link exactSetKey}. */
  readonly lastNames?: string | undefined;
  /** The first CA's failures in a row, since when and how many; forgotten at a success and at a failure that isn't a CA's. */
  readonly caFailingSince?: string | undefined;
  readonly caFailures?: number | undefined;
  /** The fallback CA has been tried since then. */
  readonly isFallbackTried?: boolean | undefined;
  /** The version on disk is from the fallback CA `at`; the next renewal goes to the first one again. */
  readonly fallback?: { readonly at: string; readonly first: string } | undefined;
  /** Fingerprint of a version that is put back, or may be: it is shown again in the place of an order, see docs/decisions/0009. */
  readonly putBack?: string | undefined;
  /** Renewals in a row that the CA has suggested right after the one before. */
  readonly hastyRenewals?: number | undefined;
  /** A digest of the settings that the last try was made with. */
  readonly settingsDigest?: string | undefined;
};

/** How an order failed at one CA, or began again after that. */
export type CaFailure = {
  readonly failedAt: string;
  readonly origin: FailureOrigin;
  readonly isSeenDown?: boolean | undefined;
};

/** Reads what the tries come to. Pure. */
export function attemptsOf(tries: Tries): Attempts {
  const last = tries.findLast(({ failures }) => failures !== undefined);
  const order = tries.findLast(({ stage }) => stage === "order");
  const issued = tries.findLast(isIssued);
  const shown = tries.findLast((one) => one.stage === "deploy" || isIssued(one));
  const atFirst = tries.findLast((one) => blamesCa(one) && !one.isFallback);
  const failed = tries.findLast(({ failures = 0 }) => failures > 0);
  return {
    failures: last?.failures ?? 0,
    startedAt: last && isBegunOrder(last) ? last.at : undefined,
    nextAttemptAt: last?.nextAttemptAt,
    lastFailure: last?.failure,
    lastFailedAt: failed?.at,
    lastSuccessAt: issued?.at,
    lastDirectoryUrl: order?.ca,
    atCa: failuresByCa(tries),
    lastNames: order?.outcome === "done" ? undefined : order?.names,
    caFailingSince: atFirst?.row?.since,
    caFailures: atFirst?.row?.nth,
    isFallbackTried: tries.some((one) => one.isFallback && one.stage === "order") || undefined,
    fallback:
      issued?.ca !== undefined && issued.first !== undefined ? { at: issued.ca, first: issued.first } : undefined,
    putBack: shown?.outcome === "done" ? undefined : shown?.fingerprint,
    hastyRenewals: issued?.row?.nth,
    settingsDigest: last?.settingsDigest,
  };
}

const isIssued = ({ stage, outcome }: Try) => stage === "order" && outcome === "done";
const isBegunOrder = ({ stage, outcome }: Try) => stage === "order" && outcome === "begun";
const blamesCa = ({ outcome, origin }: Try) => outcome === "failed" && origin !== undefined;

// A start that dies must not be looked past at the next one: the pause before a probe begins anew.
function failuresByCa(tries: Tries): Attempts["atCa"] {
  const byCa = new Map<string, CaFailure>();
  for (const one of tries) {
    const { ca = "", at: failedAt, outcome, origin, isSeenDown } = one;
    const known = byCa.get(ca);
    if (outcome === "failed" && origin !== undefined) byCa.set(ca, { failedAt, origin, isSeenDown });
    else if (isBegunOrder(one) && known) byCa.set(ca, { ...known, failedAt });
  }
  byCa.delete("");
  return byCa.size === 0 ? undefined : Object.fromEntries(byCa);
}

/**
 * The tries with one more. Of each kind (stage, CA and outcome) only the last is kept, which is all that any reader looks at:
 * those of one row of failures are a dozen at most, however long it is. Pure.
 */
function withTry(tries: Tries, one: Try): Tries {
  const isSameKind = ({ stage, ca, outcome }: Try) =>
    stage === one.stage && ca === one.ca && (outcome === one.outcome || outcome === "begun");
  return [...tries.filter((other) => !isSameKind(other)), one];
}

/** What an order is written down with, whatever comes of it. */
export type OrderTry = Pick<Try, "ca" | "names" | "isFallback" | "settingsDigest" | "nextAttemptAt"> & {
  readonly at: string;
  readonly failures: number;
  readonly failure: Failure;
};

/** The tries that say something of one with these settings: those with others don't, but for what is on disk since. */
export function comparable(tries: Tries, settingsDigest: string): Tries {
  if (attemptsOf(tries).settingsDigest === settingsDigest) return tries;
  const said = tries.filter((one) => one.stage === "deploy" || isIssued(one));
  return said.map((one) => ({ ...one, failures: one.failures && 0 }));
}

/** An order is about to go out: until more is known it has failed. */
export function withOrderBegun(tries: Tries, begun: OrderTry): Tries {
  return withTry(tries, { stage: "order", outcome: "begun", ...begun });
}

/**
 * An order has failed, or what comes before it. A failure of the first CA's that isn't a CA's ends the row of those, but the
 * proxy's: it is on the way to both CAs, and what the first one did before is as true as it was.
 */
export function withOrderFailed(
  tries: Tries,
  { names, ...failed }: OrderTry & { readonly stage: "prepare" | "order"; readonly origin: FailureOrigin },
): Tries {
  const { stage, at, isFallback, origin } = failed;
  const isOfCa = origin.startsWith("ca-");
  const isOnTheWay = isOfCa || origin === "proxy";
  const { caFailingSince = at, caFailures = 0 } = attemptsOf(tries);
  // A beginning in the future was written by a clock that has been set back since.
  const since = caFailingSince < at ? caFailingSince : at;
  const nth = isOfCa ? caFailures + 1 : caFailures;
  const row = isOnTheWay && !isFallback && nth > 0 ? { since, nth } : undefined;
  const known =
    isOnTheWay || isFallback ? tries : tries.map((one) => (isIssued(one) ? one : { ...one, isFallback: undefined }));
  return withTry(known, { outcome: "failed", ...failed, names: stage === "order" ? names : undefined, row });
}

/** What an order that has succeeded is written down with. */
export type IssuedTry = Pick<Try, "ca" | "names" | "first" | "settingsDigest" | "nextAttemptAt" | "failure"> & {
  readonly at: string;
  readonly failures: number;
  /** The CA has suggested it right after the one before. */
  readonly isHasty: boolean;
};

/** A version is on disk: what was tried before is over. */
export function withIssued(tries: Tries, { isHasty, ...issued }: IssuedTry): Tries {
  const before = tries.findLast(isIssued)?.row ?? { since: issued.at, nth: 0 };
  const row = isHasty ? { since: before.since, nth: before.nth + 1 } : undefined;
  return [{ stage: "order", outcome: "done", ...issued, row }];
}

/** A version may be put back from here on, until targets have taken it. */
export function withPutBack(tries: Tries, fingerprint: string, at: string): Tries {
  if (attemptsOf(tries).putBack === fingerprint) return tries;
  return withTry(tries, { stage: "deploy", outcome: "begun", at, fingerprint });
}

/** A target has refused a version, which is put back. */
export function withRefusal(
  tries: Tries,
  refused: Pick<Try, "at" | "fingerprint" | "failures" | "failure" | "nextAttemptAt" | "settingsDigest">,
): Tries {
  return withTry(tries, { stage: "deploy", outcome: "failed", ...refused });
}

/**
 * Nothing is wanted: it is over that the first CA was failing, and where the version shown was put back, that targets refused it.
 * The same tries where there is nothing of it to forget.
 */
export function withPeace(tries: Tries, shown: string | undefined, at: string): Tries {
  const { putBack, failures, caFailingSince, nextAttemptAt, settingsDigest } = attemptsOf(tries);
  const isTaken = putBack !== undefined && putBack === shown;
  if (!isTaken && caFailingSince === undefined) return tries;
  const known = tries.map((one) => (isIssued(one) ? one : sayingNothingOfCas(one)));
  if (!isTaken) return known;
  // The pause that a hasty CA has got is no failure.
  const pause = failures > 0 ? {} : { nextAttemptAt };
  const taken: Try = {
    stage: "deploy",
    outcome: "done",
    at,
    fingerprint: putBack,
    failures: 0,
    ...pause,
    settingsDigest,
  };
  return withTry(known, taken);
}

function sayingNothingOfCas({ origin: _1, isSeenDown: _2, row: _3, isFallback: _4, ...one }: Try): Try {
  return one;
}

/** Probes have found CAs not answering that failed in orders. The same tries where that is no news. */
export function withSeenDown(tries: Tries, down: readonly string[]): Tries {
  const isNews = ({ ca, origin, isSeenDown }: Try) =>
    ca !== undefined && down.includes(ca) && origin === "ca-failing" && !isSeenDown;
  return tries.some(isNews) ? tries.map((one) => (isNews(one) ? { ...one, isSeenDown: true } : one)) : tries;
}
