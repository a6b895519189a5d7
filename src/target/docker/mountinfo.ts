/** One mount, as far as we need to know it. */
export type Mount = {
  /** Folder of the file system that is mounted: `/` or, of a bind mount or a volume, the path on that disk. */
  readonly root: string;
  readonly mountPoint: string;
  /** `overlay`, `ext4`, `tmpfs`, … */
  readonly fileSystem: string;
};

/**
 * Reads the mounts that are to be seen from the text of /proc/self/mountinfo (proc_pid_mountinfo(5)), in its order: what a
 * later one on the same folder, or on one above it, lies over is left out, and so are lines that make no sense.
 */
export function readMounts(mountinfo: string): Mount[] {
  const mounts = readAllMounts(mountinfo);
  return mounts.filter(
    ({ mountPoint }, index) => !mounts.slice(index + 1).some((later) => isWithin(mountPoint, later.mountPoint)),
  );
}

/** As {@link readMounts}, with the mounts that others lie over. */
export function readAllMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap(readMount);
}

function readMount(line: string): Mount[] {
  // id, parent, device, root, mount point, options, any number of optional fields, "-", file system, source, options
  const [fixed = "", described = ""] = line.split(" - ");
  const [, , , root, mountPoint] = fixed.split(" ");
  const [fileSystem] = described.split(" ");
  if (!root || !mountPoint || !fileSystem) return [];
  return [{ root: unescape(root), mountPoint: unescape(mountPoint), fileSystem }];
}

/** The mount that a folder is on; undefined where nothing is known of it. */
export function mountOf(folder: string, mounts: readonly Mount[]): Mount | undefined {
  const holding = mounts.filter(({ mountPoint }) => isWithin(folder, mountPoint));
  return holding.toSorted((a, b) => b.mountPoint.length - a.mountPoint.length)[0];
}

/** Whether a path is a folder or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

// Blank, tab, new line and backslash are written as octal numbers.
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
