import { lifetimeMs, markAt, type Validity } from "./validity.ts";

/** Whether a lineage needs a new order now, or when it will. */
export type RenewalPlan =
  { readonly kind: "due"; readonly because: "lifetime-left" } | { readonly kind: "wait"; readonly until: Date };

const DAY_MS = 24 * 3600 * 1000;

// Let's Encrypt's integration guide: with a third of the lifetime left, or half of it when the lifetime is under ten days.
const SHORT_LIFETIME_MS = 10 * DAY_MS;
const FRACTION_LEFT = 1 / 3;
const FRACTION_LEFT_WHEN_SHORT = 1 / 2;

/** Decides whether the certificate with this life is due for renewal at `now`: by a share of its own life, never by days. */
export function planRenewal(life: Validity, now: Date): RenewalPlan {
  const fractionLeft = lifetimeMs(life) < SHORT_LIFETIME_MS ? FRACTION_LEFT_WHEN_SHORT : FRACTION_LEFT;
  const dueAt = markAt(life, fractionLeft);
  return now < dueAt ? { kind: "wait", until: dueAt } : { kind: "due", because: "lifetime-left" };
}

/** The instant from which an unrenewed certificate makes the sidecar unhealthy: 1/6 of its life left. */
export function alarmAt(life: Validity): Date {
  return markAt(life, 1 / 6);
}
