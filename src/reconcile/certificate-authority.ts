import type { Identifier, KeyType } from "../certificate/index.ts";
import type { Log } from "./log.ts";

/** One certificate to be asked for. */
export type IssueRequest = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly keyType: KeyType;
  /** ACME directory URL (RFC 8555 §7.1.1). */
  readonly directoryUrl: string;
  /** certbot's id of the account that the lineage was issued with, where it is known. */
  readonly accountId?: string | undefined;
  /** Contact of a new account, without `mailto:`; a known account is used as it is. */
  readonly email?: string | undefined;
  /** Where to answer HTTP-01 (certbot's `webroot_path`). */
  readonly webrootPath: string;
  /**
   * A rehearsal (`--dry-run`): a throw-away key that nobody keeps, and, where the CA has no staging, a throw-away account.
   * `account: "throw-away"` is decided by the caller, since only it knows what else the directory is used for.
   */
  readonly account: "stored" | "throw-away";
};

/** What the CA gave for an {@link IssueRequest}. */
export type IssuedCertificate = {
  readonly privateKeyPem: string;
  /** The leaf alone, one PEM block with a final newline. */
  readonly certificatePem: string;
  /** The intermediates, leaf's issuer first; may be empty. */
  readonly chainPem: string;
  /** certbot's account id: the folder name under `accounts/<server>/`. */
  readonly accountId: string;
};

/** A CA that speaks ACME (RFC 8555). */
export interface CertificateAuthority {
  /**
   * Places one order and sees it through: account, order, authorizations, challenges, finalize, download. The caller has
   * recorded the attempt before. Throws OperatorError (its `retry` rule holds the CA's Retry-After) or, when `signal`
   * aborts, the signal's reason. Leaves no challenge file and no pending authorization behind in any case it can help.
   * Parallel calls are safe.
   */
  issue(request: IssueRequest, log: Log, signal: AbortSignal): Promise<IssuedCertificate>;
}

/** An ACME account as it is kept. */
export type Account = {
  /** certbot's id: hex MD5 of the account's public key in PEM form. */
  readonly id: string;
  readonly privateKeyPem: string;
  /** The account URL (RFC 8555 §7.3), the `kid` of requests. */
  readonly url: string;
};

/** The accounts on disk, per ACME directory. */
export interface AccountStore {
  /** The account to use at this CA, or undefined when there is none. Throws OperatorError when one is there but unreadable. */
  find(directoryUrl: string, preferredId?: string): Promise<Account | undefined>;
  /** Keeps a new account durably before it is used; replaces nothing. May run twice. */
  save(
    directoryUrl: string,
    account: Account,
    registration: { readonly email?: string | undefined; readonly createdAt: Date },
  ): Promise<void>;
  /** Puts an account that the CA no longer knows aside, its key kept. May run twice. */
  setAside(directoryUrl: string, accountId: string): Promise<void>;
}

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
