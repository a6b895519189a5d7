import { canonicalUrl } from "../../../certificate/index.ts";
import type { CaLedger } from "./ledger.ts";
import type { LineageStore } from "../../lineage-store.ts";

/** The ledgers of all CAs during one run: each is read once, and changed by one caller at a time. */
export class CaLedgers {
  readonly #store: Pick<LineageStore, "loadLedger" | "saveLedger">;
  readonly #ledgers = new Map<string, Promise<CaLedger>>();

  constructor(store: Pick<LineageStore, "loadLedger" | "saveLedger">) {
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
