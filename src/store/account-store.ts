import { hostname } from "node:os";
import type { Account, AccountKey, AccountStore, KeyChange, Registration } from "../reconcile/index.ts";
import { AccountFolders, privateKeyRecord, safeAccountId, serverFolders } from "./account-folders.ts";
import { ConfFiles } from "./conf-files.ts";
import { DurableFiles, REAL_FILES, type TreeOptions } from "./durable-files.ts";
import { translated } from "./errors.ts";
import { treePaths } from "./tree-paths.ts";

/** The accounts under `root`, as certbot 5 keeps them: see {@link AccountStore} for what each call promises. */
export function createAccountStore({ root, fs = REAL_FILES }: TreeOptions): AccountStore {
  return new CertbotAccounts(new DurableFiles(root, fs));
}

// Beside the servers, where certbot doesn't look: `accounts/key-change/<server>/<id now>/<id to come>/`.
const KEY_CHANGE = "key-change";
// As there: `accounts/registration/<server>/<id>/`, of which only the key is filled in.
const REGISTRATION = "registration";

class CertbotAccounts implements AccountStore {
  readonly #folders: AccountFolders;
  readonly #confs: ConfFiles;

  constructor(files: DurableFiles) {
    this.#folders = new AccountFolders(files);
    this.#confs = new ConfFiles(treePaths(files.root), files);
  }

  /** The preferred account when it is usable, else the newest usable one. */
  async find(directoryUrl: string, preferredId?: string): Promise<Account | undefined> {
    const { usable, failure } = await this.#readAll(directoryUrl);
    const found = usable.find(({ id }) => id === preferredId) ?? usable[0];
    if (!found && failure) throw failure.reason;
    return found;
  }

  /** The newest usable account that isn't `accountId`. */
  async findOther(directoryUrl: string, accountId: string): Promise<Account | undefined> {
    const { usable } = await this.#readAll(directoryUrl);
    return usable.find(({ id }) => id !== accountId);
  }

  // The usable ones, the newest first.
  async #readAll(directoryUrl: string) {
    const server = serverFolders(directoryUrl);
    const ids = await translated("look for ACME accounts", this.#folders.at(...server), () =>
      this.#folders.ids(server),
    );
    const read = await Promise.allSettled(ids.map((id) => this.#folders.read([...server, id])));
    const found = read.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const usable = found.sort((a, b) => b.createdAt.localeCompare(a.createdAt)).map(({ account }) => account);
    return { usable, failure: read.find((one) => one.status === "rejected") };
  }

  /** Keeps a coming account's key where certbot doesn't look, until `save` has the account, for which there is room. May run twice. */
  async prepareRegistration(directoryUrl: string, { id, privateKeyPem }: AccountKey): Promise<void> {
    const path = [REGISTRATION, ...serverFolders(directoryUrl), id];
    const records = { privateKey: privateKeyRecord(privateKeyPem), registration: "{}", meta: "{}" };
    await translated("keep a coming ACME account's key", this.#folders.at(...path), async () => {
      await this.#folders.tryOut([...serverFolders(directoryUrl), id]);
      await this.#folders.create(path, { id, privateKeyPem, url: "" }, records);
    });
  }

  /** A prepared key with which no account was saved; what can't be read of it is of no use to anybody. */
  async pendingRegistration(directoryUrl: string): Promise<AccountKey | undefined> {
    const server = serverFolders(directoryUrl);
    const parent = [REGISTRATION, ...server];
    return translated("look for ACME accounts being registered", this.#folders.at(...parent), async () => {
      const saved = await this.#folders.ids(server);
      for (const id of await this.#folders.ids(parent)) {
        const key = saved.includes(id)
          ? undefined
          : await this.#folders.readKey([...parent, id]).catch(() => undefined);
        if (key) return { id, privateKeyPem: key.privateKeyPem };
      }
      return undefined;
    });
  }

  async save(directoryUrl: string, account: Account, { email, createdAt }: Registration): Promise<void> {
    const path = [...serverFolders(directoryUrl), account.id];
    const body = email === undefined ? {} : { contact: [`mailto:${email}`] };
    const meta = {
      creation_dt: createdAt.toISOString().replace(/\.\d+Z$/, "Z"),
      creation_host: hostname(),
      register_to_eff: null,
    };
    await translated("keep the new ACME account", this.#folders.at(...path), async () => {
      await this.#folders.create(path, account, {
        privateKey: privateKeyRecord(account.privateKeyPem),
        registration: JSON.stringify({ body, uri: account.url }),
        meta: JSON.stringify(meta),
      });
      await this.#folders.remove([REGISTRATION, ...path]);
    });
  }

  async setAside(directoryUrl: string, accountId: string): Promise<void> {
    const path = [...serverFolders(directoryUrl), safeAccountId(accountId)];
    await translated("put an ACME account aside", this.#folders.at(...path), () => this.#retire(path));
  }

  async prepareKeyChange(directoryUrl: string, { previousId, account }: KeyChange): Promise<void> {
    const server = serverFolders(directoryUrl);
    const path = [KEY_CHANGE, ...server, safeAccountId(previousId), account.id];
    await translated("keep an ACME account's coming key", this.#folders.at(...path), async () => {
      // The account stays the same: its contact, and when it was made.
      const records = await this.#folders.readRecords([...server, previousId]);
      const privateKey = privateKeyRecord(account.privateKeyPem);
      await this.#folders.create(path, account, { ...records, privateKey });
    });
  }

  async pendingKeyChanges(directoryUrl: string): Promise<readonly KeyChange[]> {
    const parent = [KEY_CHANGE, ...serverFolders(directoryUrl)];
    return translated("look for ACME accounts that get a new key", this.#folders.at(...parent), async () => {
      const changes: KeyChange[] = [];
      for (const previousId of await this.#folders.ids(parent)) {
        for (const id of await this.#folders.ids([...parent, previousId])) {
          // What can't be read is of no use to anybody; the old key is tried, and may still be the one.
          const found = await this.#folders.read([...parent, previousId, id]).catch(() => undefined);
          if (found) changes.push({ previousId, account: found.account });
        }
      }
      return changes;
    });
  }

  async finishKeyChange(directoryUrl: string, { previousId, account }: KeyChange): Promise<void> {
    const server = serverFolders(directoryUrl);
    const parent = [KEY_CHANGE, ...server, safeAccountId(previousId)];
    const prepared = [...parent, account.id];
    await translated("put an ACME account's new key in place", this.#folders.at(...server, account.id), async () => {
      if (!(await this.#folders.ids(parent)).includes(account.id)) return; // it is done
      await this.#folders.create([...server, account.id], account, await this.#folders.readRecords(prepared));
      // Before the old one goes: at no moment does a conf name an account that isn't there, which certbot wouldn't renew with.
      await this.#renameInConfs(directoryUrl, previousId, account.id);
      await this.#retire([...server, previousId]);
      await this.#folders.remove(prepared);
    });
  }

  async dropKeyChange(directoryUrl: string, { previousId, account }: KeyChange): Promise<void> {
    const server = serverFolders(directoryUrl);
    const path = [KEY_CHANGE, ...server, safeAccountId(previousId), safeAccountId(account.id)];
    await translated("put an ACME account's coming key aside", this.#folders.at(...path), async () => {
      // A CA whose servers disagree for a moment may have taken it all the same: then this is the only copy.
      await this.#folders.moveAside(path, server);
      await this.#folders.removeEmptied(path);
    });
  }

  async renameInConfs(directoryUrl: string, previousId: string, accountId: string): Promise<void> {
    await translated("name an ACME account's successor in the renewal confs", this.#folders.at(), () =>
      this.#renameInConfs(directoryUrl, previousId, accountId),
    );
  }

  async #renameInConfs(directoryUrl: string, previousId: string, accountId: string): Promise<void> {
    const server = serverFolders(directoryUrl).join("/");
    for (const lineage of (await this.#confs.lineages()).confirmed) {
      await this.#confs.renameAccount(lineage, {
        previousId,
        accountId,
        isAt: (url) => serverFolders(url).join("/") === server,
      });
    }
  }

  // What is left of its registration goes first: a key that is no longer in use must not be registered another time.
  async #retire(path: readonly string[]): Promise<void> {
    await this.#folders.remove([REGISTRATION, ...path]);
    await this.#folders.moveAside(path);
  }
}
