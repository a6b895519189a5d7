import type { Failure, Identifier } from "../../certificate/index.ts";

/** A certificate that a target should serve. */
export type ServedCertificate = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly fingerprint: string;
};

/** What one look at a target showed for one certificate; `message` and `remedy` are for people. */
export type ServedFinding =
  | { readonly kind: "served" }
  /**
   * Another certificate was presented, or none. `isKept`: the server reads our files, they hold the certificate, and it goes on
   * with what was in them before: new file times and another reload repair that.
   */
  | { readonly kind: "not-served"; readonly message: string; readonly remedy: string; readonly isKept?: boolean };

/** A running server that must use the certificates on disk. */
export interface DeployTarget {
  /** Unique and stable over restarts, for people and for state: `nginx-1`. */
  readonly name: string;
  /** Looks, by a TLS handshake for each name, whether the certificate is presented. Bounded in time; throws only the signal's reason. */
  observe(certificate: ServedCertificate, signal: AbortSignal): Promise<ServedFinding>;
  /** Takes the files on disk into the configuration and tests it. Throws ConfigurationRejectedError with the server's own words. */
  test(signal: AbortSignal): Promise<void>;
  /** Makes the server take over the tested configuration, without dropping a connection. Throws OperatorError. */
  reload(signal: AbortSignal): Promise<void>;
}

/** A target that should be there and can't be deployed to now: down, no socket, no rights. The deploy waits for it. */
export type MissingTarget = { readonly name: string; readonly failure: Failure };

/** What the search for targets gave. */
export type Found = {
  readonly targets: readonly DeployTarget[];
  readonly missing: readonly MissingTarget[];
  /** Targets that serve no HTTPS because an operator said so; nothing is deployed to them. */
  readonly off: readonly { readonly name: string; readonly reason: string }[];
};

/** Finds the servers to deploy to. */
export interface TargetFinder {
  /** Looks anew at each call. Throws only the signal's reason: what stands in the way is in the result. */
  find(signal: AbortSignal): Promise<Found>;
}
