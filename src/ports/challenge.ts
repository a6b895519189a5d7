import type { Identifier } from "../certificate/index.ts";

/** One way to prove control of an identifier (RFC 8555 §8). */
export interface ChallengeSolver {
  readonly type: "http-01" | "dns-01";
  /** Makes the proof visible. May run twice. Throws OperatorError when it can't. */
  present(proof: ChallengeProof, signal: AbortSignal): Promise<void>;
  /** Takes the proof away; succeeds when it is already gone. */
  cleanUp(proof: ChallengeProof): Promise<void>;
  /**
   * Looks at the proof the way the CA will, in bounded time; advice, never a gate: gives undefined when all is well, else
   * what was seen and what to do.
   */
  selfCheck(proof: ChallengeProof, signal: AbortSignal): Promise<SelfCheckFinding | undefined>;
}

/** What a challenge asks to show (RFC 8555 §8.1). */
export type ChallengeProof = {
  readonly identifier: Identifier;
  readonly token: string;
  readonly keyAuthorization: string;
  readonly webrootPath: string;
};

/** Why the CA will probably not see a proof, for people. */
export type SelfCheckFinding = { readonly message: string; readonly remedy: string };

/** A look at the outside of the stack, for the challenge's self-check. */
export interface FrontDoor {
  /** Base URL of the server that answers port 80 for our names, like `http://172.18.0.3:80`; undefined when none is known. */
  httpUrl(signal: AbortSignal): Promise<string | undefined>;
}
