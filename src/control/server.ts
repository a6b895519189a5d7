import type { Socket } from "node:net";
import { DaemonStoppingError } from "./errors.ts";
import { openSession } from "./session.ts";
import type { ControlHandler, Session } from "./session.ts";

/** What answers on the control socket, apart from the listening itself. */
export type ControlServer = {
  /** Takes over a client's connection. Nothing that a client does throws here or reaches other clients. */
  serve(connection: Socket): void;
  /**
   * Ends all clients within half a second: aborts their signals, gives the handlers the time to say a last word, then
   * closes. May run twice.
   */
  close(): Promise<void>;
};

// SIGTERM has less than two seconds for everything.
const CLOSE_WITHIN_MS = 500;

/** Makes the answering part of the control socket. `identify` is asked at each ping. */
export function createControlServer(handler: ControlHandler, identify: () => object): ControlServer {
  const sessions = new Set<Session>();
  let isStopping = false;
  return {
    serve(connection) {
      if (isStopping) return void connection.destroy();
      const session = openSession(connection, { handler, identify });
      sessions.add(session);
      void session.closed.then(() => sessions.delete(session));
    },
    async close() {
      isStopping = true;
      const open = [...sessions];
      for (const session of open) session.stop(new DaemonStoppingError());
      const timer = setTimeout(() => open.forEach((session) => session.destroy()), CLOSE_WITHIN_MS);
      await Promise.all(open.map((session) => session.closed));
      clearTimeout(timer);
    },
  };
}
