import type { LineageState } from "./lineage-state.ts";
import type { LineageStore } from "./lineage-store.ts";

/**
 * The store for one run, which reads what is remembered of a lineage once, however many steps ask: who holds the lock is the only
 * one to write it. What could not be read or written is read again.
 */
export function readStatesOnce(store: LineageStore): LineageStore {
  const known = new Map<string, LineageState>();
  return {
    ...store,
    async loadState(lineage) {
      const state = known.get(lineage) ?? (await store.loadState(lineage));
      known.set(lineage, state);
      return state;
    },
    async saveState(lineage, state) {
      known.delete(lineage);
      await store.saveState(lineage, state);
      known.set(lineage, state);
    },
  };
}
