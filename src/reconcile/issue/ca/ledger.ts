import type { Failure, HoldScope, Spending } from "../../../certificate/index.ts";

/** What we remember of one CA between runs: `/etc/letsencrypt/sidecar/cas/<its directory>.json`. Instants are ISO strings. */
export type CaLedger = {
  readonly schema: 1;
  readonly directoryUrl: string;
  /** What counts against the CA's documented limits; empty for a CA whose limits we don't know. */
  readonly spending: Spending;
  /** The CA has asked for patience (RFC 8555 §6.6): no order within the scope before `until`, whoever asks. */
  readonly holds: readonly CaHold[];
};

/** One request of the CA's for patience. */
export type CaHold = {
  readonly scope:
    Exclude<HoldScope, { readonly kind: "exact-set" }> | { readonly kind: "exact-set"; readonly names: string };
  readonly askedAt: string;
  readonly until: string;
  readonly failure: Failure;
};

/** The ledger of a CA that we have never asked for anything. */
export function freshLedger(directoryUrl: string): CaLedger {
  return { schema: 1, directoryUrl, spending: { orders: [], failedValidations: [] }, holds: [] };
}
