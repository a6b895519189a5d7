import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDraws } from "./draws.ts";
import type { Figures } from "./figures.ts";
import { SimulatedWorld } from "./simulated-world.ts";

const DAY = 24 * 3600_000;
const START_MS = Date.parse("2026-01-01T00:00:00Z");

/** Which life to live. */
export type LifeOptions = {
  readonly seed: number;
  readonly lifetimeDays: number;
  readonly years: number;
  /** Shown each line of the timeline as it is written. */
  readonly watch?: ((line: string) => void) | undefined;
};

/** How a life went. */
export type LifeResult = {
  readonly seed: number;
  readonly lifetimeDays: number;
  /** What must not have happened; empty when all is well. */
  readonly problems: readonly string[];
  /** The last things before the end, or before the first problem. */
  readonly timeline: readonly string[];
  readonly figures: Figures;
};

/**
 * Lets the real reconcile, loop, store and ACME adapter live for some years with a CA in this process, a plan of what goes
 * wrong, and a clock that jumps to the next moment that matters. The same options give the same life.
 */
export async function simulateLife(options: LifeOptions): Promise<LifeResult> {
  const { seed, lifetimeDays, years } = options;
  const startedAt = process.cpuUsage();
  const shape = createDraws(seed, "shape");
  const root = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "simulation-"));
  const startMs = START_MS + shape.whole(0, 365) * DAY;
  const world = new SimulatedWorld({
    seed,
    root,
    lifeMs: lifetimeDays * DAY,
    startMs,
    endMs: startMs + years * 365 * DAY,
    lineages: shape.pick([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3]),
    hasFallback: shape.chance(0.25),
    watch: options.watch,
  });
  try {
    await world.live();
    const figures = { ...world.figures(), cpuMs: cpuSince(startedAt) };
    return { seed, lifetimeDays, problems: world.problems(), timeline: world.timeline(), figures };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
