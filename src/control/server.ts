import type { Socket } from "node:net";
import { DaemonStoppingError } from "./errors.ts";
import type { Identity } from "./protocol.ts";
import { openSession } from "./session.ts";
import type { ControlHandler, Session } from "./session.ts";

/** What answers on the control socket, apart from the listening itself. */
export type ControlServer = {
  /** Takes over a client's connection. Nothing that a client does throws here or reaches other clients. */
  readonly serve: (connection: Socket) => void;
  /**
   * Ends all clients, in `closeWithinMs` at most: aborts their signals, gives the handlers the time to say a last word, then
   * closes. May run twice.
   */
  close(): Promise<void>;
};

/** Makes the answering part of the control socket. `identify` is asked at each ping. */
export function createControlServer(options: {
  readonly handler: ControlHandler;
  readonly identify: () => Identity;
  /** How long a client may take to send its request, in ms. */
  readonly requestWithinMs?: number;
  /** How long `close` may take, in ms; under a second by default, since SIGTERM has two. */
  readonly closeWithinMs?: number;
}): ControlServer {
  const { handler, identify, requestWithinMs = 5000, closeWithinMs = 500 } = options;
  const sessions = new Set<Session>();
  let isStopping = false;
  return {
    serve(connection) {
      const session = openSession(connection, { handler, identify, requestWithinMs });
      sessions.add(session);
      void session.closed.then(() => sessions.delete(session));
      if (isStopping) session.stop(new DaemonStoppingError());
    },
    async close() {
      isStopping = true;
      const open = [...sessions];
      for (const session of open) session.stop(new DaemonStoppingError());
      await within(closeWithinMs, Promise.all(open.map((session) => session.closed)));
      for (const session of sessions) session.destroy();
    },
  };
}

async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([done, timeout]);
  clearTimeout(timer);
}
