import { OperatorError } from "../certificate/index.ts";

/** What was thrown, as the client prints it. Errors may come from another bundle, whose classes are others. */
export function printed(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return "remedy" in thrown ? `${thrown.message}\n${String(thrown.remedy)}` : thrown.message;
}

/** The daemon ended while it did a command, without saying how that ended. */
export class DaemonLostError extends OperatorError {
  readonly code = "DAEMON_LOST";
  readonly remedy = "Read the container's log (`docker compose logs certbot`), then run the command again.";

  constructor(command: string, cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
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

  constructor(path: string, cause: Error) {
    super(`Can't ask the daemon at ${path}: ${cause.message}`, { cause });
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
