import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// They play deaths at every call, processes, months of life, or read a million characters many times: nothing that a quick loop
// needs each time.
const SLOW = [
  "acme/account",
  "cli",
  "daemon-on-a-folder",
  "foreign-text",
  "lock/lock",
  "reconcile/story-{many,rejected,targets,two-cas}",
  "simulation",
  "store/{account-store,interruption}",
  "system/process",
  "target/handshake-memory",
].map((name) => `test/unit/${name}.test.ts`);

const UNIT = {
  // A busy machine takes ten times as long as an idle one.
  testTimeout: 60_000,
  // Left alone, vitest keeps one core for itself; of two that is half.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // A process a worker, not a file: nothing of ours keeps state in a module, and that halves the time.
  isolate: false,
};

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    passWithNoTests: false,
    projects: [
      { extends: true, test: { ...UNIT, name: "unit", include: ["test/unit/**/*.test.ts"], exclude: SLOW } },
      { extends: true, test: { ...UNIT, name: "unit-slow", include: SLOW, testTimeout: 180_000 } },
      {
        // Real servers in one process at a time each: Pebble, nginx, a real directory.
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          // For what hangs, on a machine that has ten times as much to do as it can: no test is judged by it.
          testTimeout: 240_000,
          hookTimeout: 240_000,
          maxWorkers: 2,
        },
      },
      {
        // The real compose stack. Two files at a time: more only makes the two cores thrash.
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
