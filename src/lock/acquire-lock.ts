import { randomBytes } from "node:crypto";
import { statfs } from "node:fs/promises";
import type { Socket } from "node:net";
import { OperatorError } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import { elect, findRivals } from "./election.ts";
import type { Outcome, Rival } from "./election.ts";
import { LockHeldError, LockUnavailableError } from "./errors.ts";
import { makeFolder } from "./files.ts";
import { putHeartbeat } from "./heartbeat.ts";
import { keepLock } from "./held-lock.ts";
import type { Lock } from "./held-lock.ts";
import type { Identity } from "./identity.ts";
import type { Announcement, LivenessFile, LivenessFolder } from "./liveness-file.ts";
import { putSocket } from "./liveness-socket.ts";

/** What answers those who connect to the lock's socket: clients with commands, and others who want the lock. */
export interface SocketServer {
  /** Takes over a connection. A line `{ping: true}` must be answered with a line `{pong: Identity}`. Never throws. */
  serve(connection: Socket): void;
  /** Ends all connections, within a second. Never rejects. */
  close(): Promise<void>;
}

/** How the lock is taken. */
export type LockOptions = {
  /** The folder whose users exclude each other. Made when it isn't there. */
  readonly folder: string;
  /** Where the control socket goes when `folder` can't have sockets; private to the container. */
  readonly runFolder: string;
  /** Who we are, for the people at the other side: `the daemon in container 3f2a…`. */
  readonly description: string;
  /** Makes what answers on the socket; `identify` says who answers. Called for each try. */
  readonly serve: (identify: () => Identity) => SocketServer;
  /** True: wait for as long as another holds the lock. False: LockHeldError. */
  readonly wait: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  /** How to show that we live; by default what the folder's file system can do. */
  readonly livenessKind?: "socket" | "heartbeat" | undefined;
  /** Mean time between two tries while another holds it, in ms. */
  readonly retryEveryMs?: number | undefined;
  /** Time between two heartbeats, in ms; all users of one folder must agree on it. */
  readonly beatEveryMs?: number | undefined;
};

type Settled = LockOptions & LivenessFolder;

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
    // Asking before standing: who only waits puts nothing in the folder.
    const [rival] = (await findRivals(options, undefined, signal)).rivals;
    if (rival !== undefined) return { kind: "lost", rival };
    return await stand(options, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof OperatorError ? thrown : new LockUnavailableError(options.folder, thrown);
  }
}

async function stand(options: Settled, signal: AbortSignal): Promise<Attempt> {
  const instance = randomBytes(6).toString("hex");
  let state: Identity["state"] = "candidate";
  const identify = () => ({ instance, state, description: options.description });
  const server = options.serve(identify);
  const onConnection = (connection: Socket) => server.serve(connection);
  const file = await announce({ ...options, instance, identify, onConnection });
  const leave = async () => {
    await server.close();
    await file.withdraw();
  };
  try {
    const outcome = await elect(options, file, signal);
    if (outcome.kind === "lost") {
      await leave();
      return outcome;
    }
    state = "holder";
    await file.publish();
  } catch (thrown) {
    await leave();
    throw thrown;
  }
  options.log.info("lock.acquired", { folder: options.folder, mark: file.name });
  return { kind: "won", lock: keepLock(file, { ...options, leave }) };
}

async function announce(announcement: Announcement & Settled): Promise<LivenessFile> {
  const { folder, livenessKind } = announcement;
  const kind = livenessKind ?? ((await isSharedByHosts(folder)) ? "heartbeat" : "socket");
  const socket = kind === "socket" ? await putSocket(announcement) : undefined;
  return socket ?? putHeartbeat(announcement);
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

function nameOf(rival: Rival | undefined): string {
  if (rival?.identity !== undefined) return rival.identity.description;
  return rival?.problem === undefined ? "another process" : `another process (asked who it is: ${rival.problem})`;
}
