import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { watchHeartbeat } from "./heartbeat.ts";
import { askIdentity } from "./identity.ts";
import type { Presence } from "./identity.ts";
import { isLivenessName } from "./liveness-file.ts";
import type { LivenessFile, LivenessFolder } from "./liveness-file.ts";

/** Another process, by its liveness file. */
export type Rival = Presence & { readonly name: string };

/** How an election ended; `rival` is one who stood in the way. */
export type Outcome = { readonly kind: "won" } | { readonly kind: "lost"; readonly rival?: Rival | undefined };

const ASK_AGAIN_AFTER_MS = 20;
// Who hangs up is withdrawing, which takes milliseconds, or has too many clients, which takes longer.
const HANG_UPS_AT_MOST = 10;
// A rival that neither withdraws nor wins is stuck; he may wake up, so we are the one who withdraws.
const DECIDE_WITHIN_MS = 10_000;

/**
 * Finds who else has a live file in the folder, and removes the dead ones. Safe at any time, in parallel and twice: a dead
 * one's name is never used again. Rejects with the signal's reason, or the system's error.
 */
export async function findRivals(
  options: LivenessFolder,
  ownName: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly isListed: boolean; readonly rivals: readonly Rival[] }> {
  const names = (await readdir(options.folder)).filter(isLivenessName);
  const others = names.filter((name) => name !== ownName);
  const seen = await Promise.all(others.map(async (name) => ({ name, ...(await presenceOf(options, name, signal)) })));
  for (const { name, isAlive } of seen) {
    if (!isAlive) await rm(join(options.folder, name), { force: true });
  }
  return { isListed: names.length > others.length, rivals: seen.filter(({ isAlive }) => isAlive) };
}

async function presenceOf(options: LivenessFolder, name: string, signal: AbortSignal): Promise<Presence> {
  if (name.endsWith(".beat")) return watchHeartbeat(options, name, signal);
  for (let hangUps = 0; hangUps < HANG_UPS_AT_MOST; hangUps += 1) {
    const presence = await askIdentity(join(options.folder, name));
    signal.throwIfAborted();
    if (presence !== undefined) return presence;
    await options.clock.sleep(ASK_AGAIN_AFTER_MS, signal);
  }
  return { isAlive: true, problem: "it hangs up" };
}

/**
 * Decides whether the owner of `file` is the holder. Everybody first puts up a live file and then asks around; he has won
 * who, after that, finds no live one but his own. Of two who put one up, at least the second finds the first, so there are
 * never two winners, whatever the order and however long anybody is stopped. Of several candidates the lowest name stays and
 * waits for the others to withdraw, so that somebody wins. Rejects with the signal's reason, or the system's error.
 */
export async function elect(options: LivenessFolder, file: LivenessFile, signal: AbortSignal): Promise<Outcome> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < DECIDE_WITHIN_MS) {
    const { isListed, rivals } = await findRivals(options, file.name, signal);
    if (!isListed || !(await file.isThere())) return { kind: "lost" };
    if (rivals.length === 0) return { kind: "won" };
    const rival = rivals.find(({ identity, name }) => identity?.state !== "candidate" || name < file.name);
    if (rival !== undefined) return { kind: "lost", rival };
    await options.clock.sleep(ASK_AGAIN_AFTER_MS, signal);
  }
  return { kind: "lost" };
}
