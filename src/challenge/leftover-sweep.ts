import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../ports/index.ts";
import { openItself, type OpenFolder } from "./open-itself.ts";

const DAY_MS = 24 * 3600 * 1000;

// RFC 8555 §8.1: the account's thumbprint is a SHA-256 hash in base64url.
const THUMBPRINT = /^[\w-]{43}$/;
const KEY_AUTHORIZATION_EXTRA = ".".length + 43;

/**
 * Gives what removes the challenge files that killed processes have left in a folder: files older than a day that hold
 * the key authorization of the very token they are called after, and nothing else. Reads the folder once a day; never rejects.
 */
export function createLeftoverSweep(clock: Clock): (folder: OpenFolder) => Promise<void> {
  const sweptAtMs = new Map<string, number>();
  return async ({ path: folder, inside }) => {
    const nowMs = clock.now().getTime();
    if (nowMs - (sweptAtMs.get(folder) ?? -Infinity) < DAY_MS) return;
    sweptAtMs.set(folder, nowMs);
    const names = await readdir(inside).catch(() => []);
    for (const name of names) {
      const path = join(inside, name);
      // Files that can't be read or removed hurt no order.
      const isOld = await isLeftover(path, name, nowMs - DAY_MS).catch(() => false);
      if (isOld) await rm(path, { force: true }).catch(() => undefined);
    }
  };
}

async function isLeftover(path: string, token: string, beforeMs: number): Promise<boolean> {
  await using file = await openItself(path);
  const found = await file.stat();
  const length = token.length + KEY_AUTHORIZATION_EXTRA;
  if (!found.isFile() || found.mtimeMs >= beforeMs || found.size !== length) return false;
  const text = (await file.read({ buffer: Buffer.alloc(length) })).buffer.toString("latin1");
  return text.startsWith(`${token}.`) && THUMBPRINT.test(text.slice(token.length + 1));
}
