import type { ChallengeSolver, Clock, FrontDoor } from "../ports/index.ts";
import { createSelfCheck } from "./self-check.ts";
import { createTokenFiles } from "./token-files.ts";

/** What a webroot solver is made of. */
export type WebrootParts = {
  /** The server whose answer the CA will get. */
  readonly front: FrontDoor;
  readonly clock: Clock;
  /** How long one self-check may take; 10 s when left out. */
  readonly selfCheckTimeoutMs?: number | undefined;
};

const SELF_CHECK_TIMEOUT_MS = 10_000;

/**
 * Answers HTTP-01 (RFC 8555 §8.3) with files in a folder that nginx serves too, the way certbot's webroot plugin does.
 * Keep one for a process: it remembers which folders it made, and that no front server is to be found.
 */
export function createWebrootSolver({ front, clock, selfCheckTimeoutMs }: WebrootParts): ChallengeSolver {
  const files = createTokenFiles(clock);
  const check = createSelfCheck(front, clock, selfCheckTimeoutMs ?? SELF_CHECK_TIMEOUT_MS);
  return {
    type: "http-01",
    present: async (proof, signal) => {
      signal.throwIfAborted();
      await files.write(proof);
    },
    cleanUp: (proof) => files.remove(proof),
    selfCheck: check,
  };
}
