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
  fromConf(conf: ConfText, chosen: Settings | undefined): FromConf<Settings> | undefined;
  /** Makes a conf, which has the authenticator already, say what it is set to; what already says so is left alone. */
  toConf(conf: ConfText, settings: Settings, about: ConfAbout<Settings>): void;
}

/** What a conf sets a kind to, for all names and otherwise for some of them, and what of it can't be done here. */
export type FromConf<Settings> = {
  readonly settings: Settings;
  readonly ofNames?: Readonly<Record<string, Settings>> | undefined;
  readonly ignored?: readonly IgnoredOption[] | undefined;
};

/** What is asked for and not done: as it was typed, and why. */
export type IgnoredOption = { readonly option: string; readonly because: string };

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

/** The names of the certificate that a conf is of, what some have of their own, and whether it says nothing yet. */
export type ConfAbout<Settings> = {
  readonly names: readonly string[];
  readonly ofNames: Readonly<Record<string, Settings>>;
  readonly isNew: boolean;
};

/** certbot's `renewal/<name>.conf`: the entries of its sections, whose paths are like `renewalparams/webroot_map`. */
export interface ConfText {
  /** The first text of an entry, if it is one. */
  text(section: string, key: string): string | undefined;
  texts(section: string, key: string): readonly string[];
  keys(section: string): readonly string[];
  set(section: string, key: string, value: string | readonly string[]): void;
  remove(section: string, isLeaving: (key: string) => boolean): void;
  addSection(section: string): void;
}

/** How confs say by what names are proven: what the list of kinds makes of them. */
export interface ChallengeConfs {
  /** Where the authenticator is none of ours our first kind stands in, and that is among what is ignored. */
  read(conf: ConfText): { readonly challenges: readonly ChallengeUse[]; readonly ignored: readonly IgnoredOption[] };
  write(conf: ConfText, challenges: readonly ChallengeUse[], about: Omit<ConfAbout<never>, "ofNames">): void;
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
export type SelfCheckFinding = {
  readonly message: string;
  readonly remedy: string;
  /** Nobody could be asked: it says nothing of the proof. */
  readonly isUnasked?: true;
};

/** The outside of the stack, for the challenge's self-check. */
export interface FrontDoor {
  /** Base URL of the server that answers port 80 for our names, like `http://172.18.0.3:80`; undefined when none is known. */
  httpUrl(signal: AbortSignal): Promise<string | undefined>;
}
