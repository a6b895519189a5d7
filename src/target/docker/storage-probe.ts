import { realpath } from "node:fs/promises";
import type { StorageFinding, StorageProbe } from "../../reconcile/index.ts";
import type { ContainerMount } from "./container.ts";
import type { Engine } from "./engine.ts";
import { isWithin, mountOf, readMounts, type Mount } from "./mountinfo.ts";
import { containerIdFromMounts, ENGINE_FILES, findOwnContainer, type OwnContainerParts } from "./own-container.ts";

/** What the probe works with. */
export type ProbeParts = Pick<OwnContainerParts, "ownHints"> & {
  /** Left out where there is no way to one. */
  readonly engine?: Engine | undefined;
  /** The folder whose storage matters: /etc/letsencrypt. */
  readonly folder: string;
};

/**
 * Makes the probe. What it finds with Docker's help it keeps: the mounts of a container are what they were at its start. While
 * Docker is silent it reads them anew; without an engine they tell all there is. In doubt it says lasting: a wrong "ephemeral" keeps a certificate from being renewed.
 */
export function createStorageProbe(parts: ProbeParts): StorageProbe {
  let known: StorageFinding | undefined;
  return {
    inspect: async (signal) => {
      if (known !== undefined) return known;
      const told = await mountsToldByDocker(parts, signal);
      const finding = await inspect(parts, told ?? []);
      if (told !== undefined) known = finding;
      return finding;
    },
  };
}

async function inspect({ folder, ownHints }: ProbeParts, told: readonly ContainerMount[]): Promise<StorageFinding> {
  const mountinfo = await ownHints.mountinfo();
  const path = await realpath(folder).catch(() => folder);
  const mounts = readMounts(mountinfo);
  const isContainer = isInContainer(mountinfo, mounts);
  for (const mount of mountsThatMatter(path, mounts)) {
    const loss = lossOf(mount, isContainer) ?? lossOfVolume(mount, told);
    if (loss !== undefined)
      return ephemeral(folder, isWithin(path, mount.mountPoint) ? folder : mount.mountPoint, loss);
  }
  return { kind: "lasting" };
}

// The folders of the tree that hold what an order costs, or what keeps us from ordering again.
const KEPT_FOLDERS = ["accounts", "archive", "live", "renewal", "sidecar"];

function mountsThatMatter(path: string, mounts: readonly Mount[]): readonly Mount[] {
  const holding = mountOf(path, mounts);
  const isPart = ({ mountPoint }: Mount) => KEPT_FOLDERS.some((name) => isWithin(mountPoint, `${path}/${name}`));
  return [...(holding ? [holding] : []), ...mounts.filter(isPart)];
}

// Where the engine leaves no id, an overlay and a file of its own in /etc are proof: hosts with an overlay as root exist.
function isInContainer(mountinfo: string, mounts: readonly Mount[]): boolean {
  if (containerIdFromMounts(mountinfo) !== undefined) return true;
  const isOverlay = mountOf("/", mounts)?.fileSystem.includes("overlay") ?? false;
  return isOverlay && mounts.some(({ mountPoint }) => ENGINE_FILES.has(mountPoint));
}

type Loss = { readonly words: string; readonly isAnonymous?: boolean };

function lossOf({ root, mountPoint, fileSystem }: Mount, isContainer: boolean): Loss | undefined {
  if (fileSystem === "tmpfs" || fileSystem === "ramfs")
    return { words: "is kept in memory (tmpfs): it is lost at the next restart" };
  if (root.includes("/volumes/kubernetes.io~empty-dir/"))
    return { words: "is on an emptyDir volume: it is lost when the pod is made anew" };
  // Not every storage driver gives an overlay.
  return mountPoint === "/" && isContainer
    ? { words: `is on the container's own file system (${fileSystem}): it is lost when the container is made anew` }
    : undefined;
}

// Only Docker knows it: a host folder that is bind-mounted may have the same path, and must not be taken for one.
function lossOfVolume({ mountPoint }: Mount, told: readonly ContainerMount[]): Loss | undefined {
  const volume = told.find((one) => one.mountPoint === mountPoint && one.isAnonymous);
  if (volume === undefined) return undefined;
  const id = (volume.name ?? "").slice(0, 12);
  return {
    words: `is on the anonymous volume ${id}: docker compose up -V, or down and up, gives the container an empty one, and docker compose rm -v deletes it`,
    isAnonymous: true,
  };
}

// Undefined where Docker is silent: that is no finding.
async function mountsToldByDocker({ engine, ownHints }: ProbeParts, signal: AbortSignal) {
  if (engine === undefined) return [];
  try {
    const own = await findOwnContainer({ engine, ownHints }, signal);
    return own.kind === "found" ? own.container.mounts : [];
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function ephemeral(folder: string, lost: string, { words, isAnonymous = false }: Loss): StorageFinding {
  const up = "and run docker compose --profile certbot up -d";
  const hostFolder = "./volumes/certbot/conf";
  const change =
    lost === folder
      ? `write "- ${hostFolder}:${folder}" under volumes of the certbot service and of nginx, in place of any other mount there, ${up}.`
      : `take the mount on ${lost} out of the certbot service and of nginx, so that it is in the same host folder as the rest of ${folder}, ${up}.`;
  const copy = `docker compose --profile certbot cp -a certbot:${lost}/. ${lost.replace(folder, hostFolder)}`;
  const remedy = isAnonymous ? `first copy its files (${copy}), then ${change}` : change;
  return { kind: "ephemeral", message: `${lost} ${words}`, remedy: remedy.charAt(0).toUpperCase() + remedy.slice(1) };
}
