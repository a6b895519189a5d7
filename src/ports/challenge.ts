import type { ChallengeType, ChallengeUse, Identifier } from "../certificate/index.ts";
import type { Kind } from "./kind.ts";
import type { Tools } from "./tools.ts";

/** A way to prove control of names that an operator can choose. Each is a file of `challenge/` and a line in its list. */
export interface ChallengeKind<Settings> extends Kind<Settings> {
  readonly type: ChallengeType;
  /** certbot's word for it, the `authenticator` of a conf. */
  readonly authenticator: string;
  /** Made once for a process, which is what it may remember; what it gives solves with one choice of settings. */
  solvers(tools: ChallengeTools): ChallengeSolvers<Settings>;
  /**
   * What a conf with this authenticator sets it to; undefined where the conf means another kind. `chosen`: what the operator has
   * set it to, since no conf holds credentials.
   */
  fromConf(conf: ConfText, chosen: Settings | undefined): Settings | undefined;
  /** Makes a conf, which has the authenticator already, say what it is set to; what already says so is left alone. */
  toConf(conf: ConfText, settings: Settings, about: ConfAbout): void;
}

/** All kinds that can be chosen, the default first. */
export type ChallengeKinds = readonly [ChallengeKind<unknown>, ...ChallengeKind<unknown>[]];

/** Solvers of one kind. */
export interface ChallengeSolvers<Settings> {
  with(settings: Settings): ChallengeSolver;
}

/** What challenges are solved with. */
export type ChallengeTools = Pick<Tools, "clock" | "log" | "http" | "run" | "txt" | "notebook"> & {
  readonly front: FrontDoor;
};

/** The names of the certificate that a conf is of, and whether it says nothing yet. */
export type ConfAbout = { readonly names: readonly string[]; readonly isNew: boolean };

/** certbot's `renewal/<name>.conf`: the entries of its sections, whose paths are like `renewalparams/webroot_map`. */
export interface ConfText {
  /** The first text of an entry, if it is one. */
  text(section: string, key: string): string | undefined;
  keys(section: string): readonly string[];
  set(section: string, key: string, value: string | readonly string[]): void;
  remove(section: string, isLeaving: (key: string) => boolean): void;
  addSection(section: string): void;
}

/** How confs say by what names are proven: what the list of kinds makes of them. */
export interface ChallengeConfs {
  /** `stranger`: the authenticator, where it is none of ours; then our first kind stands in. */
  read(conf: ConfText): { readonly challenges: readonly ChallengeUse[]; readonly stranger?: string | undefined };
  write(conf: ConfText, challenges: readonly ChallengeUse[], about: ConfAbout): void;
}

/** One way to prove control of an identifier (RFC 8555 §8). */
export interface ChallengeSolver {
  readonly type: ChallengeType;
  /** Makes the proof visible. May run twice. Throws OperatorError when it can't. */
  present(proof: ChallengeProof, signal: AbortSignal): Promise<void>;
  /** Takes the proof away; succeeds when it is already gone. */
  cleanUp(proof: ChallengeProof): Promise<void>;
  /**
   * Asks for the proof the way the CA will, in bounded time; advice, never a gate: gives undefined when all is well, else
   * what was seen and what to do.
   */
  selfCheck(proof: ChallengeProof, signal: AbortSignal): Promise<SelfCheckFinding | undefined>;
}

/** What a challenge asks to show (RFC 8555 §8.1). */
export type ChallengeProof = {
  readonly identifier: Identifier;
  readonly token: string;
  readonly keyAuthorization: string;
};

/** Why the CA will probably not see a proof, for people. */
export type SelfCheckFinding = { readonly message: string; readonly remedy: string };

/** The outside of the stack, for the challenge's self-check. */
export interface FrontDoor {
  /** Base URL of the server that answers port 80 for our names, like `http://172.18.0.3:80`; undefined when none is known. */
  httpUrl(signal: AbortSignal): Promise<string | undefined>;
}
