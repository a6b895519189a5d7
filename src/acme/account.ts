import type { Account, AccountChoice, AccountKey, AccountStore, IssueRequest, KeyChange } from "../reconcile/index.ts";
import { createQueues, PlainError } from "../certificate/index.ts";
import { newAccountKey } from "./account-key.ts";
import type { Ca } from "./ca.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { changeKey, isKeyRefusal, settleKeyChanges } from "./key-change.ts";
import { isRecord } from "./failures/problem.ts";
import { ProblemError } from "./failures/problem-errors.ts";
import { isRegistrationRefusal, register, type RegistrationRequest } from "./registration.ts";

/** Whose account is wanted: the parts of an IssueRequest that decide it. */
export type AccountRequest = RegistrationRequest & Pick<IssueRequest, "accountId">;

/** The account in the place of a refused one; one that is new needn't be replaced when it is refused, too. */
export type Replacement = { readonly account: Account; readonly isNew: boolean };

/** A caller in the queue; `known` is the refusal that was the last one when it came. */
type Turn = ConnectionOptions & { readonly known: unknown };

/** The accounts that we have at one CA: finds the one for an order, and makes one where there is none. Lives as long as the process. */
export class AccountClient {
  readonly #ca: Ca;
  readonly #accounts: AccountStore;
  readonly #queue = createQueues();
  #throwAway: Account | undefined;
  // The last one: who has waited behind it asks the CA no second time.
  #refusal: unknown;
  // By the id it had: orders of a run that began before still ask for that one.
  readonly #successors = new Map<string, string>();

  constructor(ca: Ca, accounts: AccountStore) {
    this.#ca = ca;
    this.#accounts = accounts;
  }

  /** Throws OperatorError or the signal's reason. A new account is kept durably before it is given. Parallel calls register once. */
  open(request: AccountRequest, options: ConnectionOptions): Promise<Account> {
    const known = this.#refusal;
    return this.#inTurn(() => this.#open(request, { ...options, known }));
  }

  /** Opens another account in the place of one that the CA no longer takes, which is set aside. Throws as `open`. */
  replace(refused: Account, request: AccountRequest, options: ConnectionOptions): Promise<Replacement> {
    const turn = { ...options, known: this.#refusal };
    return this.#inTurn(async () => {
      if (request.account === "throw-away") {
        if (this.#throwAway?.id === refused.id) this.#throwAway = undefined;
        return { account: await this.#open(request, turn), isNew: true };
      }
      const known = await this.#find(refused.id);
      // Another order has met the same refusal while this one waited for its turn.
      if (known !== undefined && known.id !== refused.id) return { account: known, isNew: false };
      const { directoryUrl } = this.#ca;
      // The old one stays where it is until there is another: registering may be refused too. One that a death left unused is there.
      const other = await this.#accounts.findOther(directoryUrl, refused.id);
      const account = other ?? (await this.#register(request, turn));
      await this.#accounts.renameInConfs(directoryUrl, refused.id, account.id);
      await this.#accounts.setAside(directoryUrl, refused.id);
      this.#succeed(refused.id, account.id);
      options.log.warn("account.replaced", { ca: directoryUrl, refused: refused.url, account: account.url });
      return { account, isNew: other === undefined };
    });
  }

  /** See CertificateAuthority.changeAccountKey. */
  changeKey({ accountId, directoryUrl }: AccountChoice, options: ConnectionOptions): Promise<KeyChange> {
    return this.#inTurn(async () => {
      const finished = await this.#settle(options);
      const account = await this.#find(accountId);
      if (account === undefined) {
        throw new PlainError({
          // `rotate-account-key` found no account at the CA of the settings. `update-cert` registers one.
          code: "ACME_NO_ACCOUNT",
          message: `No key was changed: there is no account for ${directoryUrl} in accounts/`,
          remedy:
            "Correct CERTBOT_SERVER; or run update-cert --force-renewal, whose order registers an account with a new key.",
        });
      }
      // Who asks again after an answer that got lost means the change that has been made by now.
      const made = finished.find((change) => change.account.id === account.id);
      if (made !== undefined) return made;
      const change = await changeKey({ ca: this.#ca, accounts: this.#accounts }, account, options);
      this.#succeed(change.previousId, change.account.id);
      return change;
    });
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    return this.#queue(this.#ca.directoryUrl, act);
  }

  async #open(request: AccountRequest, options: Turn): Promise<Account> {
    options.signal.throwIfAborted();
    if (request.account === "throw-away") {
      this.#throwAway ??= await register(this.#ca, newAccountKey, { request, ...options });
      return this.#throwAway;
    }
    await this.#settle(options);
    return (await this.#find(request.accountId)) ?? (await this.#register(request, options));
  }

  async #settle(options: ConnectionOptions): Promise<readonly KeyChange[]> {
    const finished = await settleKeyChanges({ ca: this.#ca, accounts: this.#accounts }, options);
    for (const { previousId, account } of finished) this.#succeed(previousId, account.id);
    return finished;
  }

  #succeed(previousId: string, accountId: string): void {
    // One that had a successor may be back: from a backup, or because that one is refused by now.
    this.#successors.delete(accountId);
    this.#successors.set(previousId, accountId);
  }

  #find(preferredId: string | undefined): Promise<Account | undefined> {
    let id = preferredId;
    for (let next = id; next !== undefined; next = this.#successors.get(next)) id = next;
    return this.#accounts.find(this.#ca.directoryUrl, id);
  }

  async #register(request: AccountRequest, { known, ...options }: Turn): Promise<Account> {
    if (this.#refusal !== known) throw this.#refusal;
    const account = await register(this.#ca, () => this.#keyToRegister(), { request, ...options }).catch(
      (thrown: unknown) => {
        if (isRegistrationRefusal(thrown)) this.#refusal = thrown;
        throw thrown;
      },
    );
    const createdAt = this.#ca.clock.now();
    await this.#accounts.save(this.#ca.directoryUrl, account, { email: request.email, createdAt });
    return account;
  }

  // On the disk before the CA hears of it: a repeat after a death or a full disk gives the same account (RFC 8555 §7.3.1), where
  // another key would leave one behind that nobody can use, and an external account binding used up.
  async #keyToRegister(): Promise<AccountKey> {
    const key = (await this.#accounts.pendingRegistration(this.#ca.directoryUrl)) ?? (await newAccountKey());
    await this.#accounts.prepareRegistration(this.#ca.directoryUrl, key);
    return key;
  }
}

/**
 * Whether `error` says that the CA no longer takes this account. CAs have several ways to say so, which can mean other things
 * too; so the account itself is asked for then. Throws what leaves that question without an answer.
 */
export async function isAccountRefused(error: unknown, account: Account, connection: Connection): Promise<boolean> {
  if (!isKeyRefusal(error)) return false;
  try {
    const { data } = await connection.post("show the account", account.url, null);
    return isRecord(data) && (data["status"] === "deactivated" || data["status"] === "revoked");
  } catch (refusal) {
    if (refusal instanceof ProblemError) return isKeyRefusal(refusal);
    throw refusal;
  }
}
