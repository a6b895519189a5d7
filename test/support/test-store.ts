import { join } from "node:path";
import type { LineageStore } from "../../src/reconcile/index.ts";
import { createLineageStore, StoreError, type FileSystem } from "../../src/store/index.ts";
import { collectLog, type CollectedLine } from "./collected-log.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { CONFS } from "./challenges.ts";

/** A lineage store on a folder of its own. */
export type TestStore = {
  readonly root: string;
  readonly store: LineageStore;
  readonly lines: CollectedLine[];
  /** A path under the root. */
  readonly at: (...parts: readonly string[]) => string;
  /** The version that is listed for a lineage, by default `a.test`. */
  readonly currentVersion: (lineage?: string) => Promise<number | undefined>;
};

/** Opens a store on an empty folder, or on one that is given; the empty one is removed when the test ends. */
export async function openTestStore(options: { root?: string; fs?: FileSystem } = {}): Promise<TestStore> {
  const root = options.root ?? (await temporaryFolder());
  const log = collectLog();
  const { lines } = log;
  const store = createLineageStore({ root, challenges: CONFS, log, fs: options.fs });
  return {
    root,
    store,
    lines,
    at: (...parts) => join(root, ...parts),
    currentVersion: async (lineage = "a.test") =>
      (await store.list()).find(({ name }) => name === lineage)?.current?.version,
  };
}

/** The StoreError that an action throws; throws itself when there is none. */
export async function thrownBy(action: Promise<unknown>): Promise<StoreError> {
  const thrown: unknown = await action.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof StoreError) return thrown;
  throw new Error("expected a StoreError", { cause: thrown });
}
