import { open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Clock } from "../reconcile/index.ts";
import { exists, makeFolder } from "./files.ts";
import { isMarkName, markName } from "./mark.ts";
import type { Mark, Sighting } from "./mark.ts";
import { toIdentity } from "./protocol.ts";
import type { Identity } from "./protocol.ts";
import { putSocketMark } from "./socket-mark.ts";

/** What a heartbeat needs to know. */
export type HeartbeatOptions = {
  readonly folder: string;
  /** Where the control socket is, since `folder` can't have it; private to this container. */
  readonly runFolder: string;
  readonly instance: string;
  readonly beatEveryMs: number;
  readonly clock: Clock;
  readonly identify: () => Identity;
};

// Who has not managed to beat gives up first, and only then, three missed beats later, do others take him for dead: he
// looks every half beat, so that he has given up after 3 at most.
const GIVE_UP_AFTER_BEATS = 2.5;
const DEAD_AFTER_BEATS = 4;

/**
 * Marks this process by a file that it rewrites every `beatEveryMs`, for file systems without sockets and for those that
 * several hosts share. It is a lease, so a process that was stopped for longer than the watchers' patience finds its mark
 * gone; it must then stop acting. Throws the system's error.
 */
export async function putHeartbeatMark(
  options: HeartbeatOptions,
  onConnection: (connection: Socket) => void,
): Promise<Mark> {
  const { folder, instance, beatEveryMs } = options;
  const name = markName(instance, "beat");
  const path = join(folder, name);
  await createBeatFile(path, join(folder, markName(instance, "unborn")), contentAt(options, 0));

  const withdrawn = new AbortController();
  let lastBeatAt = performance.now();
  const beating = keepBeating(options, withdrawn.signal, () => {
    lastBeatAt = performance.now();
  });
  let door: Mark | undefined;
  return {
    name,
    checkEveryMs: beatEveryMs / 2,
    isThere: async () => performance.now() - lastBeatAt < beatEveryMs * GIVE_UP_AFTER_BEATS && (await exists(path)),
    async publish() {
      door ??= await openDoor(options, onConnection);
      await door.publish();
    },
    async withdraw() {
      withdrawn.abort();
      await beating;
      await door?.withdraw();
      await rm(path, { force: true }).catch(() => undefined);
    },
  };
}

async function keepBeating(options: HeartbeatOptions, signal: AbortSignal, onBeat: () => void): Promise<void> {
  const path = join(options.folder, markName(options.instance, "beat"));
  for (let beat = 1; !signal.aborted; beat += 1) {
    try {
      await options.clock.sleep(options.beatEveryMs, signal);
      await rewrite(path, contentAt(options, beat));
      onBeat();
    } catch {
      // A beat that can't be written counts as missed: `isThere` tells when there were too many.
    }
  }
}

// The control socket in a folder of this container's own, where the holder is alone: what else is there is left over.
async function openDoor(options: HeartbeatOptions, onConnection: (connection: Socket) => void): Promise<Mark> {
  const { runFolder, instance } = options;
  await makeFolder(runFolder);
  for (const name of await readdir(runFolder)) {
    if (isMarkName(name)) await rm(join(runFolder, name), { force: true });
  }
  const door = await putSocketMark(runFolder, instance, onConnection);
  if (door === undefined) throw new Error(`${runFolder} is on a file system without sockets`);
  return door;
}

// The time is for people; watchers look only for a change, so that clocks need not agree.
function contentAt(options: HeartbeatOptions, beat: number): string {
  return `${JSON.stringify({ ...options.identify(), beat, updatedAt: options.clock.now() })}\n`;
}

// It appears whole, under a name that nobody else draws.
async function createBeatFile(path: string, unbornPath: string, content: string): Promise<void> {
  await writeFile(unbornPath, content, { mode: 0o600, flag: "wx" });
  await rename(unbornPath, path);
}

// In place: a write that made the file anew would bring a mark back that another process has rightly removed.
async function rewrite(path: string, content: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.writeFile(content);
    await file.truncate(Buffer.byteLength(content));
  } finally {
    await file.close();
  }
}

/**
 * Watches another process's heartbeat until it changes (alive), is gone, or has missed so many beats that its owner must
 * have given up (dead). Rejects with the signal's reason when it aborts, or with the system's error.
 */
export async function watchHeartbeat(
  options: { readonly folder: string; readonly beatEveryMs: number; readonly clock: Clock },
  name: string,
  signal: AbortSignal,
): Promise<Sighting> {
  const path = join(options.folder, name);
  const looksABeat = 4;
  const first = await readBeat(path);
  for (let look = 0; look < DEAD_AFTER_BEATS * looksABeat; look += 1) {
    await options.clock.sleep(options.beatEveryMs / looksABeat, signal);
    const now = await readBeat(path);
    if (now === undefined) return { name, isAlive: false };
    if (now !== first) return { name, isAlive: true, identity: identityIn(now) };
  }
  return { name, isAlive: false };
}

async function readBeat(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    if (!(await exists(path))) return undefined;
    throw thrown;
  }
}

// Read in the middle of a write it is no JSON; alive it is all the same.
function identityIn(content: string): Identity | undefined {
  try {
    return toIdentity(JSON.parse(content));
  } catch {
    return undefined;
  }
}
