import type { Failure, Identifier, OperatorError, Validity } from "../../certificate/index.ts";

/** A certificate that a target should serve. */
export type ServedCertificate = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly fingerprint: string;
  /** Node's word for the kind of its key: `ec`, `rsa`. */
  readonly keyKind?: string | undefined;
};

/** A version on disk that targets must serve. */
export type Version = ServedCertificate & {
  readonly version: number;
  readonly validity: Validity;
  /** Put on disk by this run, so that no target can serve it yet. */
  readonly isNew: boolean;
  /** Key and whole chain in PEM, read when asked for. Throws OperatorError. */
  readonly pair: () => Promise<CertificatePair>;
};

/** What a target needs that doesn't read our files, both in PEM; the chain begins with the certificate itself. */
export type CertificatePair = { readonly privateKeyPem: string; readonly chainPem: string };

/** What one check of a target showed for one certificate; `message` and `remedy` are for people. */
export type ServedFinding =
  | {
      readonly kind: "served";
      /** Nobody can be asked: it is what we remember, and what can be seen of what it was given. */
      readonly isUnseen?: true;
    }
  /**
   * Another certificate was presented, or none. `isKept`: the server reads our files, they hold the certificate, and it goes on
   * with what was in them before: new file times and another reload repair that. `isBroken`: it ended each handshake, for every
   * name, with an alert of its own (RFC 8446 §6); nobody is served.
   */
  | {
      readonly kind: "not-served";
      readonly message: string;
      readonly remedy: string;
      readonly isKept?: boolean;
      readonly isBroken?: boolean;
    };

/** All that there is, for a target that must be told what it isn't to serve any more. */
export type Whole = {
  /** What it is to serve. */
  readonly certificates: readonly ServedCertificate[];
  /** These and what else is on disk, or wanted, in whatever state: that it has now it keeps, but for names that others have. */
  readonly lineages: readonly string[];
};

/** What must use the certificates on disk: a running server, or a step that hands them on. */
export interface Target {
  /** Unique and stable over restarts, for people and for state: `nginx-1`. */
  readonly name: string;
  /**
   * It looks for new files by itself, or others make it: `check` does nothing, `apply` asks those others at most, and what comes of
   * it is seen by TLS alone.
   */
  readonly takesOverItself?: true;
  /** Whether a lineage is for it. */
  wants(lineage: string): boolean;
  /** Those that an operator has named for it; undefined: all are. */
  readonly named?: readonly string[] | undefined;
  /** The servers of all such targets are made of one list (`listForServers`): a name is the same certificate's for each of them. */
  readonly sharesNames?: true;
  /**
   * Checks by a TLS handshake for each name whether the certificate is presented. Bounded in time; throws only the signal's
   * reason. Left out where nobody can be asked: then what `apply` did, and we remember, is the truth.
   */
  tlsCheck?(certificate: ServedCertificate, signal: AbortSignal): Promise<ServedFinding>;
  /**
   * Where nobody can be asked by TLS: whether what it was given of this version is still there, as far as that can be seen. Bounded
   * in time; throws only the signal's reason.
   */
  keeps?(version: Version, signal: AbortSignal): Promise<ServedFinding>;
  /** To apply costs it something, a restart say: after a failure it waits for its next turn, though it has just started. */
  readonly isCostly?: boolean;
  /** As {@link tlsCheck}, and asks the server why where it isn't presented: for people, once there is nothing to wait for. */
  explain?(certificate: ServedCertificate, signal: AbortSignal): Promise<ServedFinding>;
  /**
   * Takes the files on disk into the configuration and tests it. Throws ConfigurationRejectedError with the server's own words;
   * where something else could stand in for a pair that the server refuses, it must not for the lineages `onTrial`.
   */
  check(signal: AbortSignal, onTrial?: readonly string[]): Promise<void>;
  /**
   * As `check` with these on trial and, where it passes, `apply`: for a target that needs less for both at once. Left out where
   * that is no gain.
   */
  checkAndApply?(
    behind: readonly Version[],
    signal: AbortSignal,
    whole?: Whole,
  ): Promise<ReadonlyMap<string, OperatorError>>;
  /**
   * Makes it take over these versions and the tested configuration, without dropping a connection. Gives the failures by
   * lineage, and throws OperatorError for one of all. May run twice. Without `whole` nothing is taken from it.
   */
  apply(behind: readonly Version[], signal: AbortSignal, whole?: Whole): Promise<ReadonlyMap<string, OperatorError>>;
  /**
   * Puts in order, once it serves these versions, what no TLS handshake shows: that it will after a restart too, and has nothing
   * beyond. Throws OperatorError. Left out where it reads our files itself. May run twice.
   */
  settle?(served: readonly Version[], signal: AbortSignal, whole?: Whole): Promise<void>;
}

/** A target that should be there and can't be deployed to now: down, no socket, no rights. The deploy waits for it. */
export type MissingTarget = {
  readonly name: string;
  readonly failure: Failure;
  /** Whoever would tell that it is over can't be heard. */
  readonly isUntold?: true | undefined;
};

/** What the search for targets gave. */
export type Found = {
  readonly targets: readonly Target[];
  readonly missing: readonly MissingTarget[];
  /** Targets that serve no HTTPS; nothing is deployed to them. `isFault`: no operator has said so. */
  readonly off: readonly { readonly name: string; readonly reason: string; readonly isFault?: true }[];
};

/** Finds what to deploy to. */
export interface TargetSource {
  /** Searches anew at each call. Throws only the signal's reason: what stands in the way is in the result. */
  find(signal: AbortSignal): Promise<Found>;
  /**
   * Calls `onStart` with a target's name whenever one starts, until `signal` aborts; then resolves. Call it before the first
   * `find`, so that no start falls between. `onStart` must not throw. Left out where nothing starts.
   */
  watch?(onStart: (target: string) => void, signal: AbortSignal): Promise<void>;
}
