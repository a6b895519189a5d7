/** Which account: the one that {@link AccountStore.find} gives. */
export type AccountChoice = { readonly directoryUrl: string; readonly accountId?: string | undefined };

/** An account's new name and the one it had; certbot names accounts after their keys. */
export type KeyChange = { readonly previousId: string; readonly account: Account };

/** An ACME account as it is kept. */
export type Account = {
  /** certbot's id: hex MD5 of the account's public key in PEM form. */
  readonly id: string;
  readonly privateKeyPem: string;
  /** The account URL (RFC 8555 §7.3), the `kid` of requests. */
  readonly url: string;
};

/** An account before the CA has given it a URL. */
export type AccountKey = Pick<Account, "id" | "privateKeyPem">;

/** The accounts on disk, per ACME directory. */
export interface AccountStore {
  /** The account to use at this CA, or undefined when there is none. Throws OperatorError when one is there but unreadable. */
  find(directoryUrl: string, preferredId?: string): Promise<Account | undefined>;
  /** The newest usable account at this CA that isn't `accountId`. Throws OperatorError. */
  findOther(directoryUrl: string, accountId: string): Promise<Account | undefined>;
  /**
   * Keeps the key of a coming account durably, and unseen by certbot, before the CA hears of it; until `save` has it. May run
   * twice. Throws OperatorError, also where `save` could not keep the account.
   */
  prepareRegistration(directoryUrl: string, key: AccountKey): Promise<void>;
  /** A prepared key with which no account was saved yet: the CA may know it. Throws OperatorError. */
  pendingRegistration(directoryUrl: string): Promise<AccountKey | undefined>;
  /** Keeps a new account durably before it is used; replaces nothing. May run twice. */
  save(directoryUrl: string, account: Account, registration: Registration): Promise<void>;
  /** Puts an account that the CA no longer knows aside, its key kept. May run twice. */
  setAside(directoryUrl: string, accountId: string): Promise<void>;
  /** Makes the lineages that are renewed with one account at this CA name another. Writes only a change; may run twice. */
  renameInConfs(directoryUrl: string, previousId: string, accountId: string): Promise<void>;
  /** Keeps the key that an account is to have durably, and unseen by certbot, before the CA hears of it. May run twice. */
  prepareKeyChange(directoryUrl: string, change: KeyChange): Promise<void>;
  /** What was prepared and neither finished nor dropped: only the CA knows whether it has made these changes. */
  pendingKeyChanges(directoryUrl: string): Promise<readonly KeyChange[]>;
  /**
   * Makes a prepared change ours, once the CA has made it: the account under its new id, the lineages renamed, the old one set
   * aside. It stays pending until all is done, and may run twice.
   */
  finishKeyChange(directoryUrl: string, change: KeyChange): Promise<void>;
  /** Sets the key of a prepared change that the CA has not made aside. May run twice. */
  dropKeyChange(directoryUrl: string, change: KeyChange): Promise<void>;
}

/** What is kept of a registration beside the account. */
export type Registration = { readonly email?: string | undefined; readonly createdAt: Date };
