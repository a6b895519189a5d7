import { constants } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, makeFolder, openItself } from "./files.ts";
import { identityIn } from "./identity.ts";
import type { Presence } from "./identity.ts";
import { isLivenessName, livenessName } from "./liveness-file.ts";
import type { Announcement, LivenessFile, LivenessFolder } from "./liveness-file.ts";
import { putSocket } from "./liveness-socket.ts";

// Who has not managed to beat gives up first, and only then, three missed beats later, do others take him for dead: he
// checks it every half beat, so that he has given up after 3 at most.
const GIVE_UP_AFTER_BEATS = 2.5;
const DEAD_AFTER_BEATS = 4;
const BEAT_BYTES = 1000;

/**
 * Shows that this process lives by a file that it rewrites every `beatEveryMs`, for file systems without sockets and for
 * those that several hosts share. It is a lease, so a process that was stopped for longer than the watchers' patience finds
 * its file gone; it must then stop acting. Throws the system's error.
 */
export async function putHeartbeat(announcement: Announcement): Promise<LivenessFile> {
  const { folder, instance, beatEveryMs } = announcement;
  const name = livenessName(instance, "beat");
  const path = join(folder, name);
  // It appears whole, under a name that nobody else draws.
  const unbornPath = join(folder, livenessName(instance, "unborn"));
  await writeFile(unbornPath, contentAt(announcement, 0), { mode: 0o600, flag: "wx" });
  await rename(unbornPath, path);

  const withdrawn = new AbortController();
  let lastBeatAt = performance.now();
  const beating = keepBeating(announcement, withdrawn.signal, () => {
    lastBeatAt = performance.now();
  });
  let door: LivenessFile | undefined;
  return {
    name,
    checkEveryMs: beatEveryMs / 2,
    isThere: async () => performance.now() - lastBeatAt < beatEveryMs * GIVE_UP_AFTER_BEATS && (await exists(path)),
    async publish() {
      door ??= await openDoor(announcement);
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

async function keepBeating(options: Announcement, signal: AbortSignal, onBeat: () => void): Promise<void> {
  const path = join(options.folder, livenessName(options.instance, "beat"));
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
async function openDoor(announcement: Announcement): Promise<LivenessFile> {
  const { runFolder } = announcement;
  await makeFolder(runFolder);
  for (const name of await readdir(runFolder)) {
    if (isLivenessName(name)) await rm(join(runFolder, name), { force: true });
  }
  const door = await putSocket({ ...announcement, folder: runFolder });
  if (door === undefined) throw new Error(`${runFolder} is on a file system without sockets`);
  return door;
}

// The time is for people; watchers wait only for a change, so that clocks need not agree. All are of one length: a shorter one
// would have the end of the one before behind it for a moment.
function contentAt({ identify, clock }: Announcement, beat: number): string {
  return `${JSON.stringify({ ...identify(), beat, updatedAt: clock.now() }).padEnd(BEAT_BYTES)}\n`;
}

// In place: a write that made the file anew would bring one back that another process has rightly removed.
async function rewrite(path: string, content: string): Promise<void> {
  await using file = await openItself(path, constants.O_RDWR);
  await file.writeFile(content);
  await file.truncate(Buffer.byteLength(content));
}

/**
 * Watches another process's heartbeat until it changes (alive), is gone, or has missed so many beats that its owner must
 * have given up (dead). Rejects with the signal's reason when it aborts, or with the system's error.
 */
export async function watchHeartbeat(options: LivenessFolder, name: string, signal: AbortSignal): Promise<Presence> {
  const path = join(options.folder, name);
  const readsABeat = 4;
  const first = await readBeat(path);
  for (let reads = 0; reads < DEAD_AFTER_BEATS * readsABeat; reads += 1) {
    await options.clock.sleep(options.beatEveryMs / readsABeat, signal);
    const now = await readBeat(path);
    if (now === undefined) break;
    if (now !== first) return { isAlive: true, identity: identityIn(now) };
  }
  return { isAlive: false };
}

// A beat has some hundred bytes, and another's file may never end.
const LONGEST_BEAT_BYTES = 4096;

async function readBeat(path: string): Promise<string | undefined> {
  try {
    await using file = await openItself(path, constants.O_RDONLY);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(LONGEST_BEAT_BYTES), position: 0 });
    return buffer.toString("utf8", 0, bytesRead);
  } catch (thrown) {
    if (!(await exists(path))) return undefined;
    throw thrown;
  }
}
