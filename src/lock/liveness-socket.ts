import { once } from "node:events";
import { readlink, rename, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { unlessErrno } from "../certificate/index.ts";
import { SocketPathTooLongError } from "./errors.ts";
import { exists } from "./files.ts";
import { livenessName } from "./liveness-file.ts";
import type { Announcement, LivenessFile } from "./liveness-file.ts";

/** The name by which clients find the holder of the lock, in the lock's folder or in the run folder. */
export const SOCKET_NAME = "control.sock";

// `sun_path` has 108 bytes, the last one zero (unix(7)).
const MAX_PATH_BYTES = 107;
// More than any number of people; a connection beyond it is closed at once.
const MAX_CLIENTS = 64;
const CHECK_EVERY_MS = 30_000;

/**
 * Shows by a listening socket in `folder` that this process lives: the kernel itself tells others so, even after a SIGKILL.
 * Gives undefined where the file system has no sockets. Throws SocketPathTooLongError, or the system's error.
 */
export async function putSocket({ folder, instance, onConnection }: Announcement): Promise<LivenessFile | undefined> {
  const name = livenessName(instance, "sock");
  const listening = listenAt(join(folder, name), join(folder, livenessName(instance, "unborn")), onConnection);
  const server = await unlessErrno(listening, ...WITHOUT_SOCKETS);
  if (!server) return undefined;
  return {
    name,
    checkEveryMs: CHECK_EVERY_MS,
    isThere: () => exists(join(folder, name)),
    publish: () => publishLink(folder, name),
    async withdraw() {
      // The link goes first: once the socket is gone, the link may be another's.
      await removeLink(folder, name);
      await rm(join(folder, name), { force: true }).catch(() => undefined);
      server.close();
    },
  };
}

// The socket appears at `path` only when connecting to it succeeds: between bind and listen it seems a dead one.
async function listenAt(path: string, unbornPath: string, onConnection: (connection: Socket) => void): Promise<Server> {
  for (const each of [path, unbornPath]) {
    if (Buffer.byteLength(each) > MAX_PATH_BYTES) throw new SocketPathTooLongError(each, MAX_PATH_BYTES);
  }
  const server = createServer(onConnection);
  server.maxConnections = MAX_CLIENTS;
  // Later on: out of descriptors for one client. The next may be luckier, and the daemon's work goes on.
  server.on("error", () => undefined);
  try {
    // Born for its owner alone: a mode that is set by a path may be set on what somebody else has put there meanwhile.
    const umask = process.umask(0o177);
    try {
      server.listen(unbornPath); // binds before it returns
    } finally {
      process.umask(umask);
    }
    await once(server, "listening");
    await rename(unbornPath, path);
  } catch (thrown) {
    server.close();
    await rm(unbornPath, { force: true }).catch(() => undefined);
    throw thrown;
  }
  return server;
}

// A link, not a second name for the socket: its target says whose it is, and file systems without hard links have it too.
async function publishLink(folder: string, name: string): Promise<void> {
  const path = join(folder, SOCKET_NAME);
  if ((await readlink(path).catch(() => undefined)) === name) return;
  const unborn = `${path}.${name}`;
  await rm(unborn, { force: true });
  await symlink(name, unborn);
  await rename(unborn, path);
}

async function removeLink(folder: string, name: string): Promise<void> {
  const path = join(folder, SOCKET_NAME);
  if ((await readlink(path).catch(() => undefined)) === name) await rm(path, { force: true }).catch(() => undefined);
}

// What bind or rename say where sockets are no files: SMB, FAT, some of Docker Desktop's shares.
const WITHOUT_SOCKETS = ["ENOTSUP", "EOPNOTSUPP", "EPERM", "EINVAL", "ENOSYS"];
