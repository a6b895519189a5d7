import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Container } from "./container.ts";
import type { Engine } from "./engine.ts";
import { readAllMounts } from "./mountinfo.ts";

/** Where a process finds out which container it runs in. */
export type OwnContainerHints = {
  /** The text of /proc/self/mountinfo. */
  mountinfo(): Promise<string>;
  hostname(): string;
};

/** Where this process finds it out. */
export const REAL_HINTS: OwnContainerHints = {
  mountinfo: async () => readFile("/proc/self/mountinfo", "utf8").catch(() => ""),
  hostname,
};

/** What is known of our own container. */
export type OwnContainer =
  | { readonly kind: "found"; readonly container: Container }
  /** We run in a container that this engine does not know: DOCKER_HOST names another engine. */
  | { readonly kind: "unknown-to-engine"; readonly id: string }
  /** Nothing says that we run in a container. */
  | { readonly kind: "none" };

/** Whom to ask for our own container, and what to ask for. */
export type OwnContainerParts = { readonly engine: Engine; readonly ownHints: OwnContainerHints };

/** Finds the container that this process runs in. Throws what the engine throws. */
export async function findOwnContainer(parts: OwnContainerParts, signal: AbortSignal): Promise<OwnContainer> {
  const { engine, ownHints } = parts;
  const mountedId = containerIdFromMounts(await ownHints.mountinfo());
  // Only an id's short form counts: another hostname could be the name of some other container.
  const shortId = /^[0-9a-f]{12}$/.exec(ownHints.hostname())?.[0];
  for (const id of [mountedId, shortId]) {
    const container = id === undefined ? undefined : await engine.inspect(id, signal);
    if (id !== undefined && container?.id.startsWith(id)) return { kind: "found", container };
  }
  return mountedId === undefined ? { kind: "none" } : { kind: "unknown-to-engine", id: mountedId };
}

/** Where engines mount files of their own into every container. */
export const ENGINE_FILES: ReadonlySet<string> = new Set(["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]);

/**
 * The container's id from mountinfo (proc_pid_mountinfo(5)): engines mount a container's hostname, hosts and resolv.conf from
 * a folder named by its id. It works in every cgroup version, network mode and with any `hostname:`. Only these three mounts
 * count: the Docker host itself, and a container that mounts /var/lib/docker, have other containers' folders mounted.
 */
export function containerIdFromMounts(mountinfo: string): string | undefined {
  // The last folder of that name counts: an engine inside a container has its own below the outer one's. Podman puts its
  // storage driver in front: overlay-containers, vfs-containers, …
  const ids = readAllMounts(mountinfo).flatMap(({ root, mountPoint }) =>
    ENGINE_FILES.has(mountPoint) ? (/^.*\/(?:[a-z0-9]+-)?containers\/([0-9a-f]{64})\//.exec(root)?.[1] ?? []) : [],
  );
  return ids[0];
}
