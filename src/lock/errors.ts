import { hasErrno, OperatorError, wordsOf } from "../certificate/index.ts";

/** Another sidecar acts on this folder. */
export class LockHeldError extends OperatorError {
  readonly code = "LOCK_HELD";
  readonly remedy = "Wait until it has finished, or stop the other sidecar that uses this folder.";

  constructor(folder: string, holder: string) {
    super(`${folder} is in use by ${holder}`);
  }
}

/** The lock on `/etc/letsencrypt/sidecar` was taken away while we held it; whatever acts under it stops. */
export class LockLostError extends OperatorError {
  readonly code = "LOCK_LOST";
  readonly remedy = "Leave the sidecar's folder alone while it runs; it takes the lock again when it can.";

  constructor(folder: string, what: string) {
    super(`The lock in ${folder} is lost: ${what}`);
  }
}

/** The lock in `/etc/letsencrypt/sidecar` can't be made: disk full, not writable, or the mounted folder is gone. */
export class LockUnavailableError extends OperatorError {
  readonly code = "LOCK_UNAVAILABLE";
  readonly remedy: string;

  constructor(folder: string, cause: unknown) {
    super(`Can't take the lock in ${folder}: ${wordsOf(cause)}`, { cause });
    // A folder above it is made where it is missing, except inside a mount whose source is gone.
    this.remedy = hasErrno(cause, "ENOENT")
      ? `The folder mounted above ${folder} was deleted: run \`docker compose --profile certbot up -d --force-recreate\`.`
      : "Mount a folder or a named volume there, as by ./volumes/certbot/conf:/etc/letsencrypt, writable and with space left.";
  }
}

/** The path of the control socket is too long for a unix socket (`sun_path`, 108 bytes with the final zero). */
export class SocketPathTooLongError extends OperatorError {
  readonly code = "CONTROL_PATH_TOO_LONG";
  readonly remedy = "Mount the folder at a shorter path.";

  constructor(path: string, limitBytes: number) {
    super(`Can't make a socket at ${path}: ${Buffer.byteLength(path)} bytes, ${limitBytes} at most`);
  }
}
