import type { Identifier, OrderSettings, RenewalInfoAnswer } from "../../certificate/index.ts";
import type { Log } from "../../ports/index.ts";
import type { AccountChoice, KeyChange } from "../account-store.ts";

/** One certificate to be asked for. */
export type IssueRequest = Omit<OrderSettings, "reuseKey"> & {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  /** certbot's id of the account that the lineage was issued with, where it is known. */
  readonly accountId?: string | undefined;
  /** Contact of a new account, without `mailto:`; a known account is used as it is. */
  readonly email?: string | undefined;
  /**
   * A rehearsal (`--dry-run`): a throw-away key that nobody keeps, and, where the CA has no staging, a throw-away account.
   * `account: "throw-away"` is decided by the caller, since only it knows what else the directory is used for.
   */
  readonly account: "stored" | "throw-away";
  /** Binds a new account to one at the CA's website (RFC 8555 §7.3.4); used where the CA requires it. */
  readonly externalAccount?: ExternalAccount | undefined;
  /** The key to use again (`--reuse-key`), PKCS #8 in PEM; a new one is made where it is left out. */
  readonly privateKeyPem?: string | undefined;
  /**
   * The certificate that this order renews, by its {@link Leaf.certificateId} (RFC 9773 §5). Left out of the order where the
   * CA has no renewal information, and where the CA refuses the order for it.
   */
  readonly replaces?: string | undefined;
  /**
   * Awaited before the CSR is sent: from then on the CA may have signed, whatever we hear of it. Whoever keeps what it is told
   * can {@link CertificateAuthority.collect} the certificate later. What it throws ends the order.
   */
  readonly beforeFinalize?: ((order: OpenOrder) => Promise<void>) | undefined;
};

/** An order whose CSR is about to be sent, or has been. */
export type OpenOrder = {
  /** The order's own URL (RFC 8555 §7.1.3). */
  readonly url: string;
  /** The certificate's key, PKCS #8 in PEM. */
  readonly privateKeyPem: string;
  /** The CA has taken the order for the renewal of `replaces`. */
  readonly isReplacement: boolean;
};

/** What an account is registered with where there is none yet. */
export type AccountRequest = Pick<IssueRequest, "directoryUrl" | "email" | "externalAccount">;

/** Credentials for an external account binding; the key is base64url, as CAs hand it out. */
export type ExternalAccount = { readonly keyId: string; readonly hmacKey: string };

/** What the CA gave for an {@link IssueRequest}. */
export type IssuedCertificate = {
  readonly privateKeyPem: string;
  /** The leaf alone, one PEM block with a final newline. */
  readonly certificatePem: string;
  /** The intermediates, leaf's issuer first; may be empty. */
  readonly chainPem: string;
  /** certbot's account id: the folder name under `accounts/<server>/`. */
  readonly accountId: string;
  /** The CA has taken the order for the renewal of `replaces`. */
  readonly isReplacement: boolean;
};

/** What is asked of an {@link OpenOrder}. */
export type CollectRequest = IssueRequest & {
  /** Whether to wait for a CA that is still at it, or can't show the order; else the order is given up then. */
  readonly mayWait: boolean;
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
  /**
   * Fetches the certificate of an order that an earlier call of `issue` with this request left behind: a death came in between,
   * the CA took too long, or the certificate could not be put on disk. Costs no order. Gives undefined when there is none to be
   * had: the CA doesn't know the order, or has given it up, or has not finished it and the caller won't wait. Throws as `issue`.
   */
  collect(
    order: OpenOrder,
    request: CollectRequest,
    log: Log,
    signal: AbortSignal,
  ): Promise<IssuedCertificate | undefined>;
  /**
   * Asks when a certificate should be renewed (RFC 9773 §4), with one unsigned request that counts against no limit. What is
   * no answer is one of its kinds; throws only the signal's reason.
   */
  renewalInfo(directoryUrl: string, certificateId: string, signal: AbortSignal): Promise<RenewalInfoAnswer>;
  /**
   * Looks whether the CA answers what everybody may ask: its directory and a nonce, both asked for anew. Counts against no
   * limit. Throws only the signal's reason.
   */
  isAnswering(directoryUrl: string, signal: AbortSignal): Promise<boolean>;
  /**
   * How far the clock of the CA that answered last is ahead of ours, in milliseconds, negative when it is behind; by its
   * Date header, so exact to some seconds. Undefined before the first answer.
   */
  clockAheadMs(): number | undefined;
  /** Registers an account where none is kept; with one the CA isn't asked. Throws as `issue`. */
  openAccount(request: AccountRequest, log: Log, signal: AbortSignal): Promise<void>;
  /**
   * Gives an account a new key (RFC 8555 §7.3.5), on disk and in the lineages that are renewed with it too. The new key is on
   * disk before the CA hears of it, and a death in between is mended by the next use of an account at this CA. Not while an
   * order is under way. Throws OperatorError or the signal's reason.
   */
  changeAccountKey(account: AccountChoice, log: Log, signal: AbortSignal): Promise<KeyChange>;
}
