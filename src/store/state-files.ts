import { identifierKey, type Identifier } from "../certificate/index.ts";
import { FRESH_STATE, type LineageState, type Log } from "../reconcile/index.ts";
import type { DurableFiles, FileSystem } from "./durable-files.ts";
import { readTextOf } from "./optional-reads.ts";
import { safeName, type TreePaths } from "./tree-paths.ts";

const STATE_MODE = 0o600;

// nginx's certificate step reads the list through a read-only mount, as whatever user it has.
const LIST_MODE = 0o644;
const SIDECAR_FOLDER_MODE = 0o755;

/** One line of the certificate list. */
export type ListedCertificate = { readonly lineage: string; readonly identifiers: readonly Identifier[] };

/** Our own files, in `/etc/letsencrypt/sidecar/`. */
export class StateFiles {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;
  readonly #fs: FileSystem;
  readonly #log: Log;

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
  async load(lineage: string): Promise<LineageState> {
    const path = this.#paths.state(safeName(lineage));
    const text = await readTextOf(path, this.#fs);
    if (text === undefined) return FRESH_STATE;
    try {
      return parseState(text);
    } catch (thrown) {
      const aside = `${path}.corrupt-${Date.now()}`;
      const isAside = await this.#fs.rename(path, aside).then(
        () => true,
        () => false,
      );
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      this.#log.warn("lineage.repaired", {
        lineage,
        did: "began with a fresh state",
        reason,
        path,
        ...(isAside && { aside }),
      });
      return FRESH_STATE;
    }
  }

  /** Throws system errors. */
  async save(lineage: string, state: LineageState): Promise<void> {
    await this.#ensureFolder();
    const text = `${JSON.stringify(state, undefined, 2)}\n`;
    await this.#files.replace(this.#paths.state(safeName(lineage)), text, { mode: STATE_MODE });
  }

  /** Throws system errors. */
  async saveList(certificates: readonly ListedCertificate[]): Promise<void> {
    const lines = certificates.map(({ lineage, identifiers }) =>
      [safeName(lineage), ...identifiers.map(identifierKey)].join(" "),
    );
    const text = lines.map((line) => `${line}\n`).join("");
    const path = this.#paths.certificateList();
    if ((await readTextOf(path, this.#fs)) === text) return;
    await this.#ensureFolder();
    await this.#files.replace(path, text, { mode: LIST_MODE });
  }

  async #ensureFolder(): Promise<void> {
    await this.#files.ensureFolder(this.#paths.sidecar, SIDECAR_FOLDER_MODE);
  }
}

// What the loop counts with must be there; all else is optional or only shown to people.
function parseState(text: string): LineageState {
  const state = JSON.parse(text) as Partial<LineageState> | null;
  const deploys = Object.values(state?.deploy ?? {}).map((one) => one?.failures);
  const hasCounts = [state?.issue?.failures, ...deploys].every((count) => Number.isInteger(count));
  if (state?.schema !== 1 || !state.deploy || !hasCounts) throw new Error("it is not a state that this version wrote");
  return state as LineageState;
}
