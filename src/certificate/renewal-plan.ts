import { lifetimeMs, markAt, type Validity } from "./validity.ts";

/** Whether a lineage needs a new order now, or when it will; and whether the CA or the certificate's life says so. */
export type RenewalPlan =
  | { readonly kind: "due"; readonly because: "lifetime-left" | "renewal-info" }
  | { readonly kind: "wait"; readonly until: Date; readonly because: "lifetime-left" | "renewal-info" };

/** What a renewal depends on. */
export type RenewalFacts = {
  readonly validity: Validity;
  /** The moment drawn in the window that the CA suggests (RFC 9773 §4.2); absent where it suggests none. */
  readonly suggestedAt?: Date | undefined;
  /** How long before its end it is to be renewed, where an operator has said so in its conf. */
  readonly renewBeforeMs?: number | undefined;
};

const DAY_MS = 24 * 3600 * 1000;

// Let's Encrypt's integration guide: with a third of the lifetime left, or half of it when the lifetime is under ten days.
const SHORT_LIFETIME_MS = 10 * DAY_MS;
const FRACTION_LEFT = 1 / 3;
const FRACTION_LEFT_WHEN_SHORT = 1 / 2;

// Who wants a certificate renewed before it has lived so long would have it ordered when it has just arrived.
const MOST_FRACTION_LEFT = 3 / 4;

// Whatever the CA suggests, and whatever we count, a certificate must not lapse.
const LAST_FRACTION_LEFT = 1 / 20;
const ALARM_FRACTION_LEFT = 1 / 6;

/**
 * Decides whether the certificate is due for renewal at `now`: at the moment that the CA suggests or the one that an operator has
 * asked for, whichever comes first; else by a share of its own life, never by days. A suggestion for the last twentieth of the
 * life, or beyond it, or that can't be read, is none.
 */
export function planRenewal({ validity, suggestedAt, renewBeforeMs }: RenewalFacts, now: Date): RenewalPlan {
  const asked = renewBeforeMs === undefined ? undefined : askedAt(validity, renewBeforeMs);
  const suggestion = suggestedAt && suggestedAt <= (asked ?? lastResortAt(validity)) ? suggestedAt : undefined;
  const dueAt = suggestion ?? asked ?? markAt(validity, fractionLeft(validity));
  const because = suggestion ? "renewal-info" : "lifetime-left";
  return now < dueAt ? { kind: "wait", until: dueAt, because } : { kind: "due", because };
}

function askedAt(validity: Validity, renewBeforeMs: number): Date {
  const [first, last] = [markAt(validity, MOST_FRACTION_LEFT), lastResortAt(validity)];
  const at = new Date(validity.notAfter.getTime() - renewBeforeMs);
  return at < first ? first : at > last ? last : at;
}

function fractionLeft(validity: Validity): number {
  return lifetimeMs(validity) < SHORT_LIFETIME_MS ? FRACTION_LEFT_WHEN_SHORT : FRACTION_LEFT;
}

/** The instant from which neither the CA's suggestion nor a budget of ours keeps an order back: 1/20 of the life left. */
export function lastResortAt(life: Validity): Date {
  return markAt(life, LAST_FRACTION_LEFT);
}

/** The instant from which an unrenewed certificate makes the sidecar unhealthy: 1/6 of its life left. */
export function alarmAt(life: Validity): Date {
  return markAt(life, ALARM_FRACTION_LEFT);
}
