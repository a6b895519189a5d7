import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../reconcile/index.ts";
import { askIdentity } from "./ask.ts";
import { watchHeartbeat } from "./heartbeat-mark.ts";
import { isMarkName } from "./mark.ts";
import type { Mark, Sighting } from "./mark.ts";

/** What an election needs to know. */
export type ElectionOptions = {
  readonly folder: string;
  readonly beatEveryMs: number;
  readonly clock: Clock;
};

/** How an election ended; `rival` is one who stood in the way. */
export type Outcome = { readonly kind: "won" } | { readonly kind: "lost"; readonly rival?: Sighting | undefined };

const ANSWER_WITHIN_MS = 2000;
const LOOK_AGAIN_AFTER_MS = 20;
// Who hangs up is withdrawing, which takes milliseconds, or has too many clients, which takes longer.
const LOOKS_AT_HANG_UP = 10;
// A rival that neither withdraws nor wins is stuck; he may wake up, so we are the one who withdraws.
const DECIDE_WITHIN_MS = 10_000;

/**
 * Looks who else has a live mark in the folder, and removes the dead ones. Safe at any time, in parallel and twice: a
 * dead mark's name is never used again. Rejects with the signal's reason, or the system's error.
 */
export async function findRivals(
  options: ElectionOptions,
  ownName: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly isListed: boolean; readonly rivals: readonly Sighting[] }> {
  const names = (await readdir(options.folder)).filter(isMarkName);
  const others = names.filter((name) => name !== ownName);
  const seen = await Promise.all(others.map((name) => lookAt(options, name, signal)));
  for (const { name, isAlive } of seen) {
    if (!isAlive) await rm(join(options.folder, name), { force: true });
  }
  return { isListed: names.length > others.length, rivals: seen.filter(({ isAlive }) => isAlive) };
}

async function lookAt(options: ElectionOptions, name: string, signal: AbortSignal): Promise<Sighting> {
  if (name.endsWith(".beat")) return watchHeartbeat(options, name, signal);
  for (let look = 0; look < LOOKS_AT_HANG_UP; look += 1) {
    const asked = await askIdentity(join(options.folder, name), ANSWER_WITHIN_MS);
    signal.throwIfAborted();
    if (asked.kind === "nobody") return { name, isAlive: false };
    if (asked.kind === "somebody") return { name, isAlive: true, identity: asked.identity, problem: asked.problem };
    await options.clock.sleep(LOOK_AGAIN_AFTER_MS, signal);
  }
  return { name, isAlive: true, problem: "it hangs up" };
}

/**
 * Decides whether the owner of `mark` is the holder. Everybody first puts up a live mark and then looks; he has won who,
 * after that, sees no live mark but his own. Of two who put one up, at least the second sees the first, so there are never
 * two winners, whatever the order and however long anybody is stopped. Of several candidates the lowest name stays and
 * waits for the others to withdraw, so that somebody wins. Rejects with the signal's reason, or the system's error.
 */
export async function elect(options: ElectionOptions, mark: Mark, signal: AbortSignal): Promise<Outcome> {
  const { clock } = options;
  const startedAt = performance.now();
  while (performance.now() - startedAt < DECIDE_WITHIN_MS) {
    const { isListed, rivals } = await findRivals(options, mark.name, signal);
    if (!isListed || !(await mark.isThere())) return { kind: "lost" };
    if (rivals.length === 0) return { kind: "won" };
    const stronger = rivals.find((rival) => rival.identity?.state !== "candidate" || rival.name < mark.name);
    if (stronger !== undefined) return { kind: "lost", rival: stronger };
    await clock.sleep(LOOK_AGAIN_AFTER_MS, signal);
  }
  return { kind: "lost" };
}
