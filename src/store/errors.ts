import { hasErrno, OperatorError, type Failure, wordsOf } from "../certificate/index.ts";

/** A failure of the certificate tree: what was done, to which path, in the system's own words, and what to do. */
export class StoreError extends OperatorError {
  readonly code: string;
  readonly remedy: string;

  constructor({ code, message, remedy, cause }: Failure & { readonly cause?: unknown }) {
    super(message, { cause });
    this.code = code;
    this.remedy = remedy;
  }
}

/**
 * Runs one action on the tree; a system error it throws leaves as a {@link StoreError} that names `doing` and the path
 * (the system's own, else `path`). OperatorErrors pass unchanged.
 */
export async function translated<Result>(doing: string, path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (thrown) {
    throw thrown instanceof OperatorError ? thrown : fromSystemError(doing, path, thrown);
  }
}

/** What a system error is to an operator: says what was being done, and the path, the system's own or else this one. */
export function fromSystemError(doing: string, fallbackPath: string, cause: unknown): StoreError {
  const path = pathOf(cause) ?? fallbackPath;
  return new StoreError({ ...explain(path, cause), cause, message: toMessage(doing, path, cause) });
}

/** What a system error is where it shows that the file system can't hold certbot's tree. */
export function unfitFor(doing: string, path: string, cause: unknown): StoreError {
  return new StoreError({ ...UNFIT, cause, message: toMessage(doing, path, cause) });
}

const UNFIT = {
  code: "STORE_UNFIT", // The file system of `/etc/letsencrypt` lacks links, modes or names that certbot's tree needs.
  remedy:
    "Keep /etc/letsencrypt on a file system with symbolic links, modes and such names (a Docker volume, ext4, XFS, NFS), not on FAT, exFAT or a share without them.",
};

function toMessage(doing: string, path: string, cause: unknown): string {
  const words = wordsOf(cause);
  return `could not ${doing}: ${words.includes(path) ? words : `${words} (${path})`}`;
}

function pathOf(cause: unknown): string | undefined {
  return (cause as NodeJS.ErrnoException | undefined)?.path;
}

// EPERM is also said of links and modes where there are none, of whatever we may do there.
function isUnfit(cause: unknown): boolean {
  if (hasErrno(cause, "ENOSYS", "ENOTSUP", "EINVAL", "EILSEQ", "ENAMETOOLONG")) return true;
  const { syscall = "" } = cause as NodeJS.ErrnoException;
  return hasErrno(cause, "EPERM") && ["symlink", "fchmod"].includes(syscall);
}

function explain(path: string, cause: unknown): Pick<Failure, "code" | "remedy"> {
  if (hasErrno(cause, "ENOSPC", "EDQUOT")) {
    return {
      code: "STORE_DISK_FULL", // The disk with `/etc/letsencrypt` is full. The certificate in use is untouched.
      remedy: `Free space, or inodes, on the disk that holds ${path}; the next check tries again by itself.`,
    };
  }
  if (isUnfit(cause)) return UNFIT;
  if (hasErrno(cause, "EACCES", "EPERM", "EROFS")) {
    return {
      code: "STORE_NOT_WRITABLE", // `/etc/letsencrypt` can't be written.
      remedy: `Mount the volume that holds ${path} read-write and make it accessible to the sidecar's user.`,
    };
  }
  if (hasErrno(cause, "EISDIR", "ENOTDIR")) return { code: "STORE_FAILED", remedy: `Rename or delete ${path}.` };
  if (hasErrno(cause, "EBUSY")) {
    return { code: "STORE_FAILED", remedy: `Mount the folder above ${path} instead of that path itself.` };
  }
  return {
    code: "STORE_FAILED", // A file below `/etc/letsencrypt` could not be read or written: read the system's words.
    remedy: `Check the disk and the file system that hold ${path}, then run update-cert.`,
  };
}
