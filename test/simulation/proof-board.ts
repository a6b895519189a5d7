import type { ChallengeProof, ChallengeSolver } from "../../src/ports/index.ts";

/** The web servers of all names in miniature: a proof is seen from when it is presented until it is cleaned up. */
export class ProofBoard implements ChallengeSolver {
  readonly type = "http-01";
  readonly #shown = new Map<string, string>();

  /** What is answered to a token: a key authorization. */
  shown(token: string): string | undefined {
    return this.#shown.get(token);
  }

  async present({ token, keyAuthorization }: ChallengeProof): Promise<void> {
    this.#shown.set(token, keyAuthorization);
  }

  async cleanUp({ token }: ChallengeProof): Promise<void> {
    this.#shown.delete(token);
  }

  async selfCheck(): Promise<undefined> {
    return undefined;
  }
}
