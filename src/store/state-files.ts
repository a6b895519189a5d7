import { identifierKey, type Identifier } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import { FRESH_STATE, freshLedger, type CaLedger, type LineageState, type StoredOrder } from "../reconcile/index.ts";
import type { DurableFiles, FileSystem } from "./durable-files.ts";
import { parseLedger } from "./ledger-text.ts";
import type { LeftOut } from "./json-reader.ts";
import { MemoryFiles } from "./memory-files.ts";
import { readTextOf } from "./optional-reads.ts";
import { parseOrder } from "./order-text.ts";
import { parseState } from "./state-text.ts";
import { isSafeName, safeName, SIDECAR_MODE, type TreePaths } from "./tree-paths.ts";

// nginx's certificate step reads the list through a read-only mount, as whatever user it has.
const LIST_MODE = 0o644;
// Keys are in it.
const ORDERS_FOLDER_MODE = 0o700;

/** One line of the certificate list. */
export type ListedCertificate = { readonly lineage: string; readonly identifiers: readonly Identifier[] };

/** Our own files, in `/etc/letsencrypt/sidecar/`. */
export class StateFiles {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;
  readonly #fs: FileSystem;
  readonly #memory: MemoryFiles;

  constructor(paths: TreePaths, files: DurableFiles, log: Log) {
    this.#paths = paths;
    this.#files = files;
    this.#fs = files.fs;
    this.#memory = new MemoryFiles(files, log);
  }

  /**
   * A lineage's state; a fresh one when there is none, or when its text is no state: that is kept aside, and told. Throws
   * system errors: a disk that doesn't answer for a moment must not wipe out a back-off.
   */
  load(lineage: string): Promise<LineageState> {
    const path = this.#paths.state(safeName(lineage));
    return this.#memory.load({ path, parse: parseState, fresh: FRESH_STATE, about: { lineage } });
  }

  /** Throws system errors. */
  async save(lineage: string, state: LineageState): Promise<void> {
    await this.#ensureFolder();
    await this.#memory.save(this.#paths.state(safeName(lineage)), state);
  }

  /** The order that was not seen through; as {@link load}. */
  loadOrder(lineage: string): Promise<StoredOrder | undefined> {
    const path = this.#paths.order(safeName(lineage));
    return this.#memory.load({ path, parse: parseOrder, fresh: undefined, about: { lineage } });
  }

  /** Throws system errors. */
  async saveOrder(lineage: string, order: StoredOrder): Promise<void> {
    await this.#ensureFolder();
    await this.#files.ensureFolder(this.#paths.orders, ORDERS_FOLDER_MODE);
    await this.#memory.save(this.#paths.order(safeName(lineage)), order);
  }

  /** Throws system errors. */
  async removeOrder(lineage: string): Promise<void> {
    await this.#fs.rm(this.#paths.order(safeName(lineage)), { force: true });
  }

  /** A CA's ledger; as {@link load}. */
  loadLedger(directoryUrl: string): Promise<CaLedger> {
    const path = this.#paths.ledger(directoryUrl);
    const parse = (text: string, leftOut: LeftOut) => parseLedger(text, directoryUrl, leftOut);
    return this.#memory.load({ path, parse, fresh: freshLedger(directoryUrl), about: { ca: directoryUrl } });
  }

  /** Throws system errors. */
  async saveLedger(ledger: CaLedger): Promise<void> {
    await this.#ensureFolder();
    await this.#files.ensureFolder(this.#paths.ledgers, SIDECAR_MODE);
    await this.#memory.save(this.#paths.ledger(ledger.directoryUrl), ledger);
  }

  /** Leaves out what can't be the name of a folder: there is no such certificate, nor can there be one. Throws system errors. */
  async saveList(certificates: readonly ListedCertificate[]): Promise<void> {
    const listed = certificates.filter(({ lineage }) => isSafeName(lineage));
    const lines = listed.map(({ lineage, identifiers }) => [lineage, ...identifiers.map(identifierKey)].join(" "));
    const text = lines.map((line) => `${line}\n`).join("");
    const path = this.#paths.certificateList();
    if ((await readTextOf(path, this.#fs)) === text) return;
    await this.#ensureFolder();
    await this.#files.replace(path, text, { mode: LIST_MODE });
  }

  async #ensureFolder(): Promise<void> {
    await this.#files.ensureFolder(this.#paths.sidecar, SIDECAR_MODE);
  }
}
