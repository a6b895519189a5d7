import { statfs } from "node:fs/promises";
import { OperatorError } from "../certificate/index.ts";
import type { Clock, Log } from "../reconcile/index.ts";
import { elect, findRivals } from "./election.ts";
import type { Outcome } from "./election.ts";
import { LockHeldError, LockUnavailableError } from "./errors.ts";
import { makeFolder } from "./files.ts";
import { putHeartbeatMark } from "./heartbeat-mark.ts";
import { keepLock } from "./held-lock.ts";
import type { Lock } from "./held-lock.ts";
import { drawInstance } from "./mark.ts";
import type { Mark, Sighting } from "./mark.ts";
import type { Identity } from "./protocol.ts";
import { createControlServer } from "./server.ts";
import type { ControlHandler } from "./session.ts";
import { putSocketMark } from "./socket-mark.ts";

/** How the lock is taken. */
export type LockOptions = {
  /** The folder whose users exclude each other: LOCK_FOLDER. Made when it isn't there. */
  readonly folder: string;
  /** Where the control socket goes when `folder` can't have sockets: RUN_FOLDER. */
  readonly runFolder: string;
  /** Who we are, for the people at the other side: `the daemon in container 3f2a…`. */
  readonly description: string;
  /** Answers clients while the lock is held. */
  readonly handler: ControlHandler;
  /** True: wait for as long as another holds the lock. False: LockHeldError. */
  readonly wait: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  /** How to mark that we live; by default by what the folder's file system can do. */
  readonly markKind?: "socket" | "heartbeat" | undefined;
  /** Mean time between two tries while another holds it, in ms. */
  readonly retryEveryMs?: number | undefined;
  /** Time between two heartbeats, in ms; all users of one folder must agree on it. */
  readonly beatEveryMs?: number | undefined;
};

type Settled = LockOptions & { readonly beatEveryMs: number };

/**
 * Takes the lock of a folder and opens the control socket in it; a holder that died, by SIGKILL too, is replaced at once
 * (after 4 beats where heartbeats are used). Waiting is logged once. Throws LockHeldError (only without `wait`),
 * LockUnavailableError, SocketPathTooLongError, or the signal's reason when it aborts; nothing is left behind then.
 */
export async function acquireLock(options: LockOptions, signal: AbortSignal): Promise<Lock> {
  const { folder, clock, log, random, retryEveryMs = 3000, beatEveryMs = 5000 } = options;
  const settled = { ...options, beatEveryMs };
  for (let isWaitTold = false; ; isWaitTold = true) {
    const attempt = await tryLock(settled, signal);
    if (attempt.kind === "won") return attempt.lock;
    const holder = nameOf(attempt.rival);
    if (!options.wait) throw new LockHeldError(folder, holder);
    if (!isWaitTold) log.warn("lock.awaited", { folder, holder });
    await clock.sleep(retryEveryMs * (0.5 + random()), signal);
  }
}

type Attempt = { readonly kind: "won"; readonly lock: Lock } | Extract<Outcome, { readonly kind: "lost" }>;

async function tryLock(options: Settled, signal: AbortSignal): Promise<Attempt> {
  signal.throwIfAborted();
  try {
    await makeFolder(options.folder);
    // Looking before standing: who only waits puts nothing in the folder.
    const [rival] = (await findRivals(options, undefined, signal)).rivals;
    if (rival !== undefined) return { kind: "lost", rival };
    return await stand(options, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof OperatorError ? thrown : new LockUnavailableError(options.folder, thrown);
  }
}

async function stand(options: Settled, signal: AbortSignal): Promise<Attempt> {
  const instance = drawInstance(options.random);
  let state: Identity["state"] = "candidate";
  const identify = () => ({ instance, state, description: options.description });
  const server = createControlServer(options.handler, identify);
  const mark = await putMark(options, { instance, identify, onConnection: (connection) => server.serve(connection) });
  const leave = async () => {
    await server.close();
    await mark.withdraw();
  };
  try {
    const outcome = await elect(options, mark, signal);
    if (outcome.kind === "lost") {
      await leave();
      return outcome;
    }
    state = "holder";
    await mark.publish();
  } catch (thrown) {
    await leave();
    throw thrown;
  }
  options.log.info("lock.acquired", { folder: options.folder, mark: mark.name });
  return { kind: "won", lock: keepLock(mark, { ...options, leave }) };
}

type Announcement = {
  readonly instance: string;
  readonly identify: () => Identity;
  readonly onConnection: Parameters<typeof putSocketMark>[2];
};

async function putMark(options: Settled, announcement: Announcement): Promise<Mark> {
  const { folder } = options;
  const { instance, identify, onConnection } = announcement;
  const kind = options.markKind ?? ((await isSharedByHosts(folder)) ? "heartbeat" : "socket");
  const mark = kind === "socket" ? await putSocketMark(folder, instance, onConnection) : undefined;
  return mark ?? putHeartbeatMark({ ...options, instance, identify }, onConnection);
}

// A kernel knows the sockets of its own processes only: to another host a live one on NFS looks dead. From statfs(2):
// NFS, SMB, CIFS, SMB2, FUSE (sshfs, GlusterFS, Docker Desktop's shares), 9p, Ceph, AFS, GFS2, OCFS2.
const NETWORK_FILE_SYSTEMS = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x01161970, 0x7461636f,
]);

async function isSharedByHosts(folder: string): Promise<boolean> {
  // The type is a C long: read as unsigned, whatever its sign.
  return NETWORK_FILE_SYSTEMS.has((await statfs(folder)).type >>> 0);
}

function nameOf(rival: Sighting | undefined): string {
  if (rival?.identity !== undefined) return rival.identity.description;
  return rival?.problem === undefined ? "another process" : `another process (asked who it is: ${rival.problem})`;
}
