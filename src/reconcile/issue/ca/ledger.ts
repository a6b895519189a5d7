import { canonicalUrl, type Failure, type Spending, type WaitScope } from "../../../certificate/index.ts";

/** What we remember of one CA between runs: `/etc/letsencrypt/sidecar/cas/<its directory>.json`. Instants are ISO strings. */
export type CaLedger = {
  readonly schema: 1;
  readonly directoryUrl: string;
  /** What counts against the CA's documented limits; empty for a CA whose limits we don't know. */
  readonly spending: Spending;
  /** The CA has asked for patience (RFC 8555 §6.6): no order within the scope before `until`, whoever asks. */
  readonly holds: readonly CaWait[];
  /** As the fallback CA: the last try to have an account there, before it is needed. */
  readonly readied?: Readied | undefined;
};

/** One try to have an account; without an outcome it was broken off, or the CA did not answer. */
export type Readied = {
  readonly triedAt: string;
  readonly settingsDigest: string;
  readonly isReady?: boolean | undefined;
  /** What an operator has to mend. */
  readonly failure?: Failure | undefined;
};

/** One request of the CA's for patience, or our own decision to leave it alone. */
export type CaWait = {
  readonly scope:
    Exclude<WaitScope, { readonly kind: "exact-set" }> | { readonly kind: "exact-set"; readonly names: string };
  readonly askedAt: string;
  readonly until: string;
  readonly failure: Failure;
  /** Of our own decision: it holds for orders with these settings. */
  readonly settingsDigest?: string | undefined;
};

/** The ledger of a CA that we have never asked for anything. */
export function freshLedger(directoryUrl: string): CaLedger {
  return { schema: 1, directoryUrl, spending: { orders: [], failedValidations: [] }, holds: [] };
}

/** Keeps ledgers, each durably and atomically. Both throw OperatorError: without one nobody knows what the CA was asked already. */
export interface LedgerStore {
  /** What we remember of a CA: a fresh ledger when there is none, or when it makes no sense; it is then kept aside and told. */
  loadLedger(directoryUrl: string): Promise<CaLedger>;
  saveLedger(ledger: CaLedger): Promise<void>;
}

/** The ledgers of all CAs during one run: each is read once, and changed by one caller at a time. */
export class CaLedgers {
  readonly #store: LedgerStore;
  readonly #ledgers = new Map<string, Promise<CaLedger>>();

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** The ledger as it stands. Throws OperatorError when the disk doesn't give it back. */
  read(directoryUrl: string): Promise<CaLedger> {
    const url = canonicalUrl(directoryUrl);
    const known = this.#ledgers.get(url) ?? this.#store.loadLedger(url);
    this.#ledgers.set(url, known);
    return known;
  }

  /** Changes a ledger, durably; `change` may throw to leave it as it is. Throws that, or OperatorError of the disk. */
  async update(directoryUrl: string, change: (ledger: CaLedger) => CaLedger): Promise<void> {
    const before = this.read(directoryUrl);
    const after = before.then(async (ledger) => {
      const changed = change(ledger);
      await this.#store.saveLedger(changed);
      return changed;
    });
    // What couldn't be changed or written is as it was, for those who come after.
    this.#ledgers.set(
      canonicalUrl(directoryUrl),
      after.catch(() => before),
    );
    await after;
  }
}
