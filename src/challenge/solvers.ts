import { challengeFor, type ChallengeUse, type Identifier } from "../certificate/index.ts";
import type { ChallengeKinds, ChallengeSolver, ChallengeTools } from "../ports/index.ts";

/** Gives what proves a name the way that was chosen for it. Keep one for a process: the kinds remember things in it. */
export function createSolvers(
  kinds: ChallengeKinds,
  tools: ChallengeTools,
): (challenges: readonly ChallengeUse[], identifier: Identifier) => ChallengeSolver {
  const solvers = new Map(kinds.map((kind) => [kind.name, kind.solvers(tools)]));
  return (challenges, identifier) => {
    const use = challengeFor(challenges, identifier);
    const solver = solvers.get(use?.kind ?? "")?.with(use?.settings);
    if (solver === undefined) throw new Error(`no challenge was chosen for ${identifier.value}`);
    return solver;
  };
}
