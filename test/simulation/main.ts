import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { simulateLife, type LifeOptions, type LifeResult } from "./simulated-life.ts";
import { summarize } from "./summary.ts";

const LIFETIMES_DAYS = [6, 45, 90];
const SHOWN_LINES = 80;

const { values } = parseArgs({
  options: {
    /** How many lives of each lifetime. */
    seeds: { type: "string", default: "200" },
    /** Only this one, with all that happens in it. */
    seed: { type: "string" },
    /** Only certificates of this many days. */
    lifetime: { type: "string" },
    years: { type: "string", default: "2" },
  },
});
const years = Number(values.years);
const lifetimes = values.lifetime === undefined ? LIFETIMES_DAYS : [Number(values.lifetime)];
const results =
  values.seed === undefined ? await simulateAll(Number(values.seeds)) : await watchOne(Number(values.seed));
console.log(summarize(results));
process.exit(results.some(({ problems }) => problems.length > 0) ? 1 : 0);

async function watchOne(seed: number): Promise<LifeResult[]> {
  const results: LifeResult[] = [];
  for (const lifetimeDays of lifetimes) {
    results.push(await simulateLife({ seed, lifetimeDays, years, watch: (line) => console.log(line) }));
  }
  return results;
}

/** One process more than there are cores, as each waits for Node's thread pool now and then; each has one life at a time. */
async function simulateAll(seeds: number): Promise<LifeResult[]> {
  const startedAt = performance.now();
  const lives = Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed) =>
    lifetimes.map((lifetimeDays): LifeOptions => ({ seed, lifetimeDays, years })),
  );
  const queue = lives.values();
  const results: LifeResult[] = [];
  const work = async () => {
    // More room for what is young: a life makes much garbage and keeps little. Stack traces are for --seed.
    const execArgv = ["--max-semi-space-size=32", "--stack-trace-limit=0"];
    const worker = fork(new URL("worker.ts", import.meta.url), { execArgv });
    for (const life of queue) {
      const result = await ask(worker, life);
      results.push(result);
      tell(result, `${results.length}/${lives.length} ${Math.round((performance.now() - startedAt) / 1000)} s`);
    }
    worker.disconnect();
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism() + 1, lives.length) }, work));
  return results;
}

function ask(worker: ChildProcess, life: LifeOptions): Promise<LifeResult> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`the life of seed ${life.seed}, lifetime ${life.lifetimeDays} broke off`));
    worker.once("exit", onExit);
    worker.once("message", (result) => {
      worker.off("exit", onExit);
      resolve(result as LifeResult);
    });
    worker.send(life);
  });
}

function tell({ seed, lifetimeDays, problems, timeline, figures }: LifeResult, progress: string): void {
  const verdict = problems.length === 0 ? "ok" : "FAILED";
  const { versions, orders, tries, runs, cpuMs } = figures;
  const took = `${(cpuMs / 1000).toFixed(1)} s`;
  console.log(
    `${progress}: seed ${seed}, lifetime ${lifetimeDays}: ${verdict}; ${versions} versions, ${orders} orders, ${tries} tries, ${runs} runs, ${took}`,
  );
  if (problems.length === 0) return;
  console.log(timeline.slice(-SHOWN_LINES).join("\n"));
  for (const problem of problems) console.log(`seed ${seed}, lifetime ${lifetimeDays}: ${problem}`);
  console.log(`again: npm run simulate -- --seed ${seed} --lifetime ${lifetimeDays} --years ${years}`);
}
