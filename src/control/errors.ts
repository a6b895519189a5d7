import { hasErrno, OperatorError } from "../certificate/index.ts";

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

/** The daemon ended while it did a command, without saying how that ended. */
export class DaemonLostError extends OperatorError {
  readonly code = "DAEMON_LOST";
  readonly remedy = "Read the container's log (`docker compose logs certbot`), then run the command again.";

  constructor(command: string, cause?: unknown) {
    const why = cause === undefined ? "" : `: ${wordsOf(cause)}`;
    super(`The daemon ended while ${command} was under way${why}`, { cause });
  }
}

/** The daemon doesn't answer on its socket, though that takes connections. */
export class DaemonSilentError extends OperatorError {
  readonly code = "DAEMON_SILENT";
  readonly remedy = "Restart the container (`docker compose restart certbot`); its log may say what holds it.";

  constructor(command: string, waitedMs: number) {
    super(`The daemon has not taken ${command} within ${waitedMs / 1000} s, though its socket is open`);
  }
}

/** The daemon's socket is there, and may not be used by whoever asks. */
export class DaemonRefusedError extends OperatorError {
  readonly code = "DAEMON_REFUSED";
  readonly remedy = "Run the command as root inside the sidecar's container.";

  constructor(path: string, cause: unknown) {
    super(`Can't ask the daemon at ${path}: ${wordsOf(cause)}`, { cause });
  }
}

/** The daemon is stopping; ask again when it has started. */
export class DaemonStoppingError extends OperatorError {
  readonly code = "DAEMON_STOPPING";
  readonly remedy = "Run the command again when the daemon is back; what is under way on disk is taken up by itself.";

  constructor() {
    super("The daemon is stopping");
  }
}

/** The one who asked for a command has gone; a run that had begun goes on. */
export class ClientGoneError extends OperatorError {
  readonly code = "CLIENT_GONE";
  readonly remedy = "Ask `status` how the command ended; the daemon goes on by itself.";

  constructor() {
    super("The client has gone");
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
