import { toFailure } from "../certificate/index.ts";
import type { Tools } from "../ports/index.ts";
import type { EngineLine } from "../target/index.ts";

/** What ends a daemon, once, so that its restart mounts the engine's new socket. */
export type SocketHealing = {
  /** Hears how the line to the engine is. Never throws. */
  hear(line: EngineLine): Promise<void>;
  /** Resolves when the daemon is to end. */
  readonly due: Promise<void>;
};

type Note = { readonly endedAt?: string };

function parseNote(json: unknown): Note {
  if (typeof json !== "object" || json === null) throw new Error("it is no JSON object");
  return "endedAt" in json && typeof json.endedAt === "string" ? { endedAt: json.endedAt } : {};
}

/**
 * An engine that was updated without its containers (live-restore) leaves them a socket that nobody listens on: a bind mount is
 * made anew by a restart alone. It is asked for once, and only where the engine has said that it starts this container again;
 * the next time after a connection has shown that the last restart helped.
 */
export function createSocketHealing({
  notebook,
  log,
  clock,
}: Pick<Tools, "notebook" | "log" | "clock">): SocketHealing {
  const note = notebook("engine-socket", {}, parseNote);
  const due = Promise.withResolvers<void>();
  let isRestarted = false;
  const heed = async (line: EngineLine): Promise<void> => {
    if (line.kind === "connected") ({ isRestarted } = line);
    const hasEnded = (await note.read()).endedAt !== undefined;
    if (line.kind === "connected") {
      if (hasEnded) await note.change(() => ({}));
    } else if (line.isSocketReplaced && isRestarted && !hasEnded) {
      await note.change(() => ({ endedAt: clock.now().toISOString() }));
      log.warn("docker.socket-replaced");
      due.resolve();
    }
  };
  return {
    hear: (line) => heed(line).catch((thrown: unknown) => log.error("state.unsaved", toFailure(thrown))),
    due: due.promise,
  };
}
