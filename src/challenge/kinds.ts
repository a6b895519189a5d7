import { challengeFor, type ChallengeUse, type Identifier } from "../certificate/index.ts";
import type { ChallengeConfs, ChallengeKind, ChallengeKinds, ChallengeSolver, ChallengeTools } from "../ports/index.ts";

const PARAMS = "renewalparams";

/** How certbot's confs name these kinds. `chosen` is what the operator's settings say, for what a conf doesn't hold. */
export function challengeConfs(kinds: ChallengeKinds, chosen: readonly ChallengeUse[]): ChallengeConfs {
  const chosenFor = (kind: string) => chosen.find((use) => use.kind === kind)?.settings;
  const toUse = ({ name, type }: ChallengeKind<unknown>, settings: unknown): ChallengeUse[] =>
    settings === undefined ? [] : [{ names: "all", kind: name, type, settings }];
  const [first] = kinds;
  return {
    read: (conf) => {
      const asked = conf.text(PARAMS, "authenticator") ?? first.authenticator;
      const read = (kind: ChallengeKind<unknown>) => toUse(kind, kind.fromConf(conf, chosenFor(kind.name)));
      const known = kinds.filter(({ authenticator }) => authenticator === asked).flatMap(read);
      return known.length > 0 ? { challenges: known.slice(0, 1) } : { challenges: read(first), stranger: asked };
    },
    write: (conf, challenges, about) => {
      // One choice for all names is what certbot's confs can hold; others are the settings' alone.
      const use = challenges.find(({ names }) => names === "all") ?? challenges[0];
      const kind = kinds.find(({ name }) => name === use?.kind);
      if (use === undefined || kind === undefined) return;
      conf.set(PARAMS, "authenticator", kind.authenticator);
      kind.toConf(conf, use.settings, about);
    },
  };
}

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
