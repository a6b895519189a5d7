import type { Socket } from "node:net";
import { DaemonStoppingError } from "./errors.ts";
import { openSession } from "./session.ts";
import type { ControlHandler, Session } from "./session.ts";

// SIGTERM has less than two seconds for everything.
const CLOSE_WITHIN_MS = 500;

/** Makes what answers on the control socket, apart from the listening itself. `identify` is asked at each ping. */
export function createControlServer(handler: ControlHandler, identify: () => object) {
  const sessions = new Set<Session>();
  let isStopping = false;
  return {
    /** Takes over a client's connection. Nothing that a client does throws here or reaches other clients. */
    serve(connection: Socket): void {
      if (isStopping) return void connection.destroy();
      const session = openSession(connection, { handler, identify });
      sessions.add(session);
      void session.closed.then(() => sessions.delete(session));
    },
    /**
     * Ends all clients within half a second: aborts their signals, gives the handlers the time to say a last word, then
     * closes. May run twice.
     */
    async close(): Promise<void> {
      isStopping = true;
      const open = [...sessions];
      for (const session of open) session.stop(new DaemonStoppingError());
      using _timer = setTimeout(() => open.forEach((session) => session.destroy()), CLOSE_WITHIN_MS);
      await Promise.all(open.map((session) => session.closed));
    },
  };
}
