import { identifierKey, type Identifier } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import { FRESH_STATE, freshLedger, type CaLedger, type LineageState, type StoredOrder } from "../reconcile/index.ts";
import type { DurableFiles, FileSystem } from "./durable-files.ts";
import { parseLedger } from "./ledger-text.ts";
import type { LeftOut } from "./json-reader.ts";
import { readTextOf } from "./optional-reads.ts";
import { parseOrder } from "./order-text.ts";
import { parseState } from "./state-text.ts";
import { isSafeName, safeName, type TreePaths } from "./tree-paths.ts";

const STATE_MODE = 0o600;

// nginx's certificate step reads the list through a read-only mount, as whatever user it has.
const LIST_MODE = 0o644;
const SIDECAR_FOLDER_MODE = 0o755;
// Keys are in it.
const ORDERS_FOLDER_MODE = 0o700;

/** One line of the certificate list. */
export type ListedCertificate = { readonly lineage: string; readonly identifiers: readonly Identifier[] };

/** A file of ours that is read and written as a whole. */
type Memory<Content> = {
  readonly path: string;
  readonly parse: (text: string, leftOut: LeftOut) => Content;
  /** What stands for it when there is none. */
  readonly fresh: Content;
  /** What it is about, as fields of a log line. */
  readonly about: { readonly lineage: string } | { readonly ca: string };
};

/** Our own files, in `/etc/letsencrypt/sidecar/`. */
export class StateFiles {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;
  readonly #fs: FileSystem;
  readonly #log: Log;
  // A file is read many times before it is written anew.
  readonly #told = new Set<string>();

  constructor(paths: TreePaths, files: DurableFiles, log: Log) {
    this.#paths = paths;
    this.#files = files;
    this.#fs = files.fs;
    this.#log = log;
  }

  /**
   * A lineage's state; a fresh one when there is none, or when its text is no state: that is kept aside, and told. Throws
   * system errors: a disk that doesn't answer for a moment must not wipe out a back-off.
   */
  load(lineage: string): Promise<LineageState> {
    const path = this.#paths.state(safeName(lineage));
    return this.#load({ path, parse: parseState, fresh: FRESH_STATE, about: { lineage } });
  }

  /** Throws system errors. */
  async save(lineage: string, state: LineageState): Promise<void> {
    await this.#ensureFolder();
    await this.#files.replace(this.#paths.state(safeName(lineage)), toText(state), { mode: STATE_MODE });
  }

  /** The order that was not seen through; as {@link load}. */
  loadOrder(lineage: string): Promise<StoredOrder | undefined> {
    const path = this.#paths.order(safeName(lineage));
    return this.#load({ path, parse: parseOrder, fresh: undefined, about: { lineage } });
  }

  /** Throws system errors. */
  async saveOrder(lineage: string, order: StoredOrder): Promise<void> {
    await this.#ensureFolder();
    await this.#files.ensureFolder(this.#paths.orders, ORDERS_FOLDER_MODE);
    const text = toText(order);
    await this.#files.replace(this.#paths.order(safeName(lineage)), text, { mode: STATE_MODE });
  }

  /** Throws system errors. */
  async removeOrder(lineage: string): Promise<void> {
    await this.#fs.rm(this.#paths.order(safeName(lineage)), { force: true });
  }

  /** A CA's ledger; as {@link load}. */
  loadLedger(directoryUrl: string): Promise<CaLedger> {
    const path = this.#paths.ledger(directoryUrl);
    const parse = (text: string, leftOut: LeftOut) => parseLedger(text, directoryUrl, leftOut);
    return this.#load({ path, parse, fresh: freshLedger(directoryUrl), about: { ca: directoryUrl } });
  }

  /** Throws system errors. */
  async saveLedger(ledger: CaLedger): Promise<void> {
    await this.#ensureFolder();
    await this.#files.ensureFolder(this.#paths.ledgers, SIDECAR_FOLDER_MODE);
    await this.#files.replace(this.#paths.ledger(ledger.directoryUrl), toText(ledger), { mode: STATE_MODE });
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

  async #load<Content>({ path, parse, fresh, about }: Memory<Content>): Promise<Content> {
    const text = await readTextOf(path, this.#fs);
    if (text === undefined) return fresh;
    try {
      const leftOut: LeftOut = [];
      const content = parse(text, leftOut);
      if (leftOut.length > 0)
        this.#tell(path, { ...about, did: "left out what makes no sense", reason: leftOut.join(", ") });
      return content;
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      this.#tell(path, { ...about, did: "began afresh", reason, ...(await this.#putAside(path)) });
      return fresh;
    }
  }

  async #putAside(path: string): Promise<{ readonly aside?: string }> {
    const aside = `${path}.corrupt-${Date.now()}`;
    return this.#fs.rename(path, aside).then(
      () => ({ aside }),
      () => ({}),
    );
  }

  #tell(path: string, fields: Memory<unknown>["about"] & { readonly did: string; readonly reason: string }): void {
    const line = `${path}: ${fields.reason}`;
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#log.warn("state.repaired", { ...fields, path });
  }

  async #ensureFolder(): Promise<void> {
    await this.#files.ensureFolder(this.#paths.sidecar, SIDECAR_FOLDER_MODE);
  }
}

function toText(content: { readonly schema: 1 }): string {
  return `${JSON.stringify(content, undefined, 2)}\n`;
}
