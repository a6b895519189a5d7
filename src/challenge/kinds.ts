import { challengeFor, type ChallengeUse, type Identifier } from "../certificate/index.ts";
import type {
  ChallengeConfs,
  ChallengeKind,
  ChallengeKinds,
  ChallengeSolver,
  ChallengeTools,
  ConfText,
  FromConf,
} from "../ports/index.ts";

const PARAMS = "renewalparams";

/** How certbot's confs name these kinds. `chosen` is what the operator's settings say, for what a conf doesn't hold. */
export function challengeConfs(kinds: ChallengeKinds, chosen: readonly ChallengeUse[]): ChallengeConfs {
  const chosenFor = (kind: string) => chosen.find((use) => use.kind === kind)?.settings;
  const readAs = (kind: ChallengeKind<unknown>, conf: ConfText) => {
    const found = kind.fromConf(conf, chosenFor(kind.name));
    return found ? [{ challenges: usesOf(kind, found), ignored: found.ignored ?? [] }] : [];
  };
  const [first] = kinds;
  return {
    read: (conf) => {
      const asked = conf.text(PARAMS, "authenticator") ?? first.authenticator;
      const [known] = kinds
        .filter(({ authenticator }) => authenticator === asked)
        .flatMap((kind) => readAs(kind, conf));
      if (known) return known;
      const stranger = { option: `authenticator = ${asked}`, because: `names are proven by ${first.name}` };
      return { challenges: readAs(first, conf).flatMap(({ challenges }) => challenges), ignored: [stranger] };
    },
    write: (conf, challenges, about) => {
      // One kind for all names is what certbot's confs can hold; others are the settings' alone.
      const use = challenges.find(({ names }) => names === "all") ?? challenges[0];
      const kind = kinds.find(({ name }) => name === use?.kind);
      if (use === undefined || kind === undefined) return;
      conf.set(PARAMS, "authenticator", kind.authenticator);
      const ofNames = challenges.flatMap(({ names, settings, ...one }) =>
        one.kind === kind.name && names !== "all" ? names.map((name) => [name, settings] as const) : [],
      );
      kind.toConf(conf, use.settings, { ...about, ofNames: Object.fromEntries(ofNames) });
    },
  };
}

// The first use that fits a name counts.
function usesOf({ name: kind, type }: ChallengeKind<unknown>, found: FromConf<unknown>): ChallengeUse[] {
  const { settings, ofNames = {} } = found;
  const own = Object.entries(ofNames).map(([name, ownSettings]) => ({ names: [name], settings: ownSettings }));
  return [...own, { names: "all" as const, settings }].map((use) => ({ ...use, kind, type }));
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
