import { wordsOf } from "../certificate/index.ts";
import { dirname } from "node:path";
import type { Log } from "../ports/index.ts";
import type { DurableFiles } from "./durable-files.ts";
import { translated } from "./errors.ts";
import type { LeftOut } from "./json-reader.ts";
import { SIDECAR_MODE, type TreePaths } from "./tree-paths.ts";

const MODE = 0o600;

/** A file of ours, below `sidecar/`, that is read and written as a whole. */
export type MemoryFile<Content> = {
  readonly path: string;
  /** What it holds, as words for people. */
  readonly what: string;
  /** Of the folder it is in, where that is not for everybody. */
  readonly folderMode?: number;
  /** Throws an Error that says why the text makes no sense. */
  readonly parse: (text: string, leftOut: LeftOut) => Content;
  /** What stands for it when there is none. */
  readonly fresh: Content;
  /** What it is about, as fields of a log line. */
  readonly about: About;
};

type About = { readonly lineage: string } | { readonly ca: string } | { readonly notebook: string };

/** Reads and writes what we remember, as JSON for us alone. Both throw StoreError. */
export class MemoryFiles {
  readonly #sidecar: string;
  readonly #files: DurableFiles;
  readonly #log: Log;
  // A file is read many times before it is written anew.
  readonly #told = new Set<string>();

  constructor({ sidecar }: TreePaths, files: DurableFiles, log: Log) {
    this.#sidecar = sidecar;
    this.#files = files;
    this.#log = log;
  }

  /**
   * What a file holds; the fresh content when there is none, or when its text makes no sense: that is kept aside, and told. A
   * disk that doesn't answer for a moment must not wipe out a back-off: it is thrown.
   */
  async load<Content>({ path, what, parse, fresh, about }: MemoryFile<Content>): Promise<Content> {
    const text = await translated(`read ${what}`, path, () => this.#files.readText(path));
    if (text === undefined) return fresh;
    try {
      const leftOut: LeftOut = [];
      const content = parse(text, leftOut);
      if (leftOut.length > 0)
        this.#tell(path, { ...about, did: "left out what makes no sense", reason: leftOut.join(", ") });
      return content;
    } catch (thrown) {
      const reason = wordsOf(thrown);
      this.#tell(path, { ...about, did: "began afresh", reason, ...(await this.#putAside(path)) });
      return fresh;
    }
  }

  /** Replaces a file. `doing` is what that is to people. */
  save<Content>(file: MemoryFile<Content>, content: Content, doing = "save"): Promise<void> {
    const { path, what, folderMode = SIDECAR_MODE } = file;
    const folder = dirname(path);
    return translated(`${doing} ${what}`, folder, async () => {
      await this.#files.ensureFolder(this.#sidecar, SIDECAR_MODE);
      if (folder !== this.#sidecar) await this.#files.ensureFolder(folder, folderMode);
      await this.#files.replace(path, `${JSON.stringify(content, undefined, 2)}\n`, { mode: MODE });
    });
  }

  async #putAside(path: string): Promise<{ readonly aside?: string }> {
    const aside = `${path}.corrupt-${Date.now()}`;
    return this.#files.fs.rename(path, aside).then(
      () => ({ aside }),
      () => ({}),
    );
  }

  #tell(path: string, fields: About & { readonly did: string; readonly reason: string }): void {
    const line = `${path}: ${fields.reason}`;
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#log.warn("state.repaired", { ...fields, path });
  }
}
