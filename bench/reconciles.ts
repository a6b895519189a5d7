import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificateAuthority } from "../src/acme/index.ts";
import { automaticRun, reconcile, type ReconcileParts, type RunReport } from "../src/reconcile/index.ts";
import { createAccountStore, createLineageStore } from "../src/store/index.ts";
import { createDraws } from "../test/simulation/draws.ts";
import { ProofBoard } from "../test/simulation/proof-board.ts";
import { lineageOf, policyOf, PRODUCTION } from "../test/simulation/settings.ts";
import { SimulatedCa } from "../test/simulation/simulated-ca.ts";
import { SimulatedTarget } from "../test/simulation/simulated-target.ts";
import { collectLog } from "../test/support/collected-log.ts";
import { instantClock } from "../test/support/instant-clock.ts";
import { CONFS } from "../test/support/challenges.ts";

const RECONCILES = Number(process.argv[2] ?? 10_000);
const LINEAGES = 20;
const FAILING = 3;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const root = await mkdtemp(join(tmpdir(), "bench-reconciles-"));
const clock = instantClock(new Date("2026-01-01T00:00:00Z"));
const signal = new AbortController().signal;
const log = collectLog();
try {
  const parts = createParts();
  const outcomes = (report: RunReport) => Object.entries(Object.groupBy(report.certificates, ({ outcome }) => outcome));
  const words = (report: RunReport) => outcomes(report).map(([outcome, list]) => `${list?.length} ${outcome}`);
  console.log(`first: ${words(await runOnce(parts)).join(", ")}`);
  // From now on some want one more name, which the CA can't verify: they fail, and wait, and fail.
  const failing = { ...parts, policy: policyOf(certificates("fails"), false) };
  console.log(`then: ${words(await runOnce(failing)).join(", ")}`);
  console.log("reconciles   ms each   heap MB    rss MB    tries");
  for (let done = 0; done < RECONCILES;) done = await runMany(failing, done, RECONCILES / 10);
  console.log(`last: ${words(await runOnce(failing)).join(", ")}`);
} finally {
  await rm(root, { recursive: true, force: true });
}

/** The real parts on a real disk, with a CA and a target in this process. */
function createParts(): ReconcileParts {
  const proofs = new ProofBoard();
  const ca = new SimulatedCa({
    directoryUrl: PRODUCTION,
    kind: "production",
    startMs: clock.now().getTime(),
    lifeMs: 90 * DAY_MS,
    draws: createDraws(1, "bench"),
    conditions: {
      refusedProof: (name) =>
        name.startsWith("fails") ? { status: 400, type: "dns", detail: "no such name" } : undefined,
      shownProof: (token) => proofs.shown(token),
      decisionMs: () => 50,
    },
  });
  return {
    ca: createCertificateAuthority({
      accounts: createAccountStore({ root }),
      solverFor: () => proofs,
      clock,
      lookUpCaa: async () => [],
      http: async (request) => ca.answer(request, clock.now().getTime()),
    }),
    store: createLineageStore({ root, challenges: CONFS, log }),
    targets: new SimulatedTarget(root).seenBy(() => undefined),
    storage: { inspect: async () => ({ kind: "lasting" }) },
    clock,
    random: createDraws(1, "process").next,
    policy: policyOf(certificates(), false),
    mayAct: async () => true,
    servedWithinMs: 5000,
  };
}

function certificates(extra?: string): string[][] {
  return Array.from({ length: LINEAGES }, (_, number) => {
    const name = lineageOf(number);
    return extra !== undefined && number < FAILING ? [name, `${extra}.${name}`] : [name];
  });
}

async function runOnce(parts: ReconcileParts): Promise<RunReport> {
  const report = await reconcile(parts, { request: automaticRun("schedule"), log, signal });
  // What a daemon's log keeps is none of its memory.
  log.lines.length = 0;
  return report;
}

/** One reconcile a virtual minute, `count` times; prints a line, and gives how many have been done in all. */
async function runMany(parts: ReconcileParts, before: number, count: number): Promise<number> {
  const startedAt = performance.now();
  let tries = 0;
  for (let index = 0; index < count; index += 1) {
    await clock.sleep(MINUTE_MS, signal);
    const report = await runOnce(parts);
    tries += report.certificates.filter(({ outcome }) => outcome === "failed").length;
  }
  const each = (performance.now() - startedAt) / count;
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const cells = [String(before + count), each.toFixed(2), megabytes(heapUsed), megabytes(rss), String(tries)];
  console.log(cells.map((cell) => cell.padStart(10)).join(""));
  return before + count;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
