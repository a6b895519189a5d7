import { createPrivateKey, type JsonWebKey } from "node:crypto";
import { basename, join } from "node:path";
import { accountIdOf, unlessErrno, wordsOf } from "../certificate/index.ts";
import type { Account } from "../reconcile/index.ts";
import type { DurableFiles } from "./durable-files.ts";
import { StoreError } from "./errors.ts";

const FOLDER_MODE = 0o700;
const KEY_MODE = 0o400;
const RECORD_MODE = 0o644;

const ACCOUNT_ID = /^[0-9a-f]{32}$/;

/** The texts of an account folder's three files. */
export type AccountRecords = { readonly privateKey: string; readonly registration: string; readonly meta: string };

/**
 * The folders under `accounts/`, as certbot 5 keeps them: `<server host and path>/<id>/` with three JSON files. Paths are
 * lists of names below `accounts/`. All methods throw system errors.
 */
export class AccountFolders {
  readonly #files: DurableFiles;

  constructor(files: DurableFiles) {
    this.#files = files;
  }

  at(...names: readonly string[]): string {
    return join(this.#files.root, "accounts", ...names);
  }

  /** The account folders in a folder; none when it isn't there. */
  async ids(parent: readonly string[]): Promise<string[]> {
    return (await this.#files.list(this.at(...parent))).filter((entry) => ACCOUNT_ID.test(entry));
  }

  /**
   * The account in a folder, and when it was made: `creation_dt` of its `meta.json`, as JSON. Throws a StoreError when the folder
   * holds no whole account, or another than its name says.
   */
  async read(path: readonly string[]) {
    const { registration, meta, ...key } = await this.readKey(path);
    const url = registration?.["uri"];
    if (typeof url !== "string" || url === "") throw unusableAccount(this.at(...path), "regr.json has no uri");
    const account: Account = { ...key, url };
    return { account, createdAt: JSON.stringify(meta?.["creation_dt"]) };
  }

  /** An account's key, and the JSON beside it, whatever that holds. Throws as {@link read}. */
  async readKey(path: readonly string[]) {
    const folder = this.at(...path);
    try {
      const records = await this.readRecords(path);
      const [jwk, registration, meta] = [records.privateKey, records.registration, records.meta].map(
        (text) => JSON.parse(text) as Record<string, unknown> | undefined,
      );
      const key = createPrivateKey({ key: jwk as JsonWebKey, format: "jwk" });
      const privateKeyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
      const id = accountIdOf(privateKeyPem);
      if (id !== basename(folder)) throw new Error("the folder's name is not the id of the key in it");
      return { id, privateKeyPem, registration, meta };
    } catch (thrown) {
      throw unusableAccount(folder, wordsOf(thrown), thrown);
    }
  }

  async readRecords(path: readonly string[]): Promise<AccountRecords> {
    const [privateKey = "", registration = "", meta = ""] = await Promise.all(
      ["private_key.json", "regr.json", "meta.json"].map((name) =>
        this.#files.fs.readFile(this.at(...path, name), "utf8"),
      ),
    );
    return { privateKey, registration, meta };
  }

  /** Does with an empty folder what {@link create} would, and takes it away again. Throws what that would. */
  async tryOut(path: readonly string[]): Promise<void> {
    const parent = path.slice(0, -1);
    await this.#ensureFolders(parent);
    const [prepared, tried] = [this.#temporary(path.at(-1) ?? ""), this.at(...parent, ".new")];
    for (const left of [prepared, tried]) await this.#files.fs.rm(left, { recursive: true, force: true });
    await this.#files.ensureFolder(prepared, FOLDER_MODE);
    try {
      await this.#files.fs.rename(prepared, tried);
    } finally {
      for (const left of [prepared, tried]) await this.#files.fs.rm(left, { recursive: true, force: true });
    }
  }

  /** Makes an account folder, durable and whole or not at all. A whole one of the same account is left as it is. */
  async create(path: readonly string[], account: Account, records: AccountRecords): Promise<void> {
    if (accountIdOf(account.privateKeyPem) !== account.id) {
      throw unusableAccount(account.id, "is not the id of its key");
    }
    const parent = path.slice(0, -1);
    await this.#ensureFolders(parent);
    if (await this.#isKept(path, account)) return;
    const prepared = this.#temporary(account.id);
    await this.#files.fs.rm(prepared, { recursive: true, force: true });
    await this.#files.ensureFolder(prepared, FOLDER_MODE);
    await this.#files.create(join(prepared, "private_key.json"), records.privateKey, { mode: KEY_MODE });
    await this.#files.create(join(prepared, "regr.json"), records.registration, { mode: RECORD_MODE });
    await this.#files.create(join(prepared, "meta.json"), records.meta, { mode: RECORD_MODE });
    await this.#files.syncFolder(prepared);
    await this.#files.fs.rename(prepared, this.at(...path));
    await this.#files.syncFolder(this.at(...parent));
  }

  /**
   * Puts an account's folder away, with its key, under its server's name. Not beside the other accounts: certbot takes every
   * folder there for one, and asks which it shall use. Nothing happens when there is none.
   */
  async moveAside(path: readonly string[], server: readonly string[] = path.slice(0, -1)): Promise<void> {
    const id = path.at(-1) ?? "";
    await this.#ensureFolders(["set-aside", ...server]);
    const taken = await this.#files.list(this.at("set-aside", ...server));
    const count = taken.filter((entry) => entry.startsWith(id)).length;
    const aside = this.at("set-aside", ...server, count === 0 ? id : `${id}-${count}`);
    await this.#files.renameIfThere(this.at(...path), aside);
  }

  /** Removes an account's folder, whole or not at all, and the one it was in when that is empty. None is there: nothing happens. */
  async remove(path: readonly string[]): Promise<void> {
    const leaving = this.#temporary(path.at(-1) ?? "");
    await this.#files.fs.rm(leaving, { recursive: true, force: true });
    const isThere = await this.#files.renameIfThere(this.at(...path), leaving);
    if (isThere) await this.#files.fs.rm(leaving, { recursive: true, force: true });
    await this.removeEmptied(path);
  }

  /** Removes the folder that an account's was in, where no other is in it: another key of the same account, say. */
  async removeEmptied(path: readonly string[]): Promise<void> {
    const parent = this.at(...path.slice(0, -1));
    if ((await this.#files.list(parent)).length > 0) return;
    await this.#files.fs.rm(parent, { recursive: true, force: true });
  }

  #temporary(id: string): string {
    return this.at(`.new-${id}`);
  }

  // An account folder that can't be read (a certbot that died in it) makes room, its key kept.
  async #isKept(path: readonly string[], account: Account): Promise<boolean> {
    if ((await this.#files.list(this.at(...path))).length === 0) return false;
    try {
      const { registration } = await this.readKey(path);
      if ((registration?.["uri"] ?? "") === account.url) return true;
    } catch (thrown) {
      if (!(thrown instanceof StoreError)) throw thrown;
    }
    await this.moveAside(path);
    return false;
  }

  async #ensureFolders(names: readonly string[]): Promise<void> {
    await this.#files.fs.mkdir(this.#files.root, { recursive: true });
    for (let depth = 0; depth <= names.length; depth += 1) {
      const folder = this.at(...names.slice(0, depth));
      await this.#files.ensureFolder(folder, FOLDER_MODE);
      if ((await unlessErrno(this.#files.fs.stat(folder), "ENOENT")) !== undefined) continue;
      const target = await this.#files.readLink(folder);
      throw unusableAccount(folder, `it is a link to ${target ?? "something"}, where nothing is`);
    }
  }
}

/** certbot's rule for the folders of a server: the URL's authority, port included, then its path. Throws StoreError. */
export function serverFolders(directoryUrl: string): string[] {
  const [, authority, path] = /^[a-z]+:\/\/([^/?#]+)([^?#]*)/i.exec(directoryUrl) ?? [];
  const folders = [authority ?? "", ...(path ?? "").split("/").filter((part) => part !== "")];
  if (authority && !folders.some((folder) => folder === "." || folder === "..")) return folders;
  throw unusableAccount(directoryUrl, "is not the URL of an ACME directory");
}

/** Gives an id back that can be a folder's name; throws StoreError. */
export function safeAccountId(accountId: string): string {
  if (ACCOUNT_ID.test(accountId)) return accountId;
  throw unusableAccount(accountId, "is not an account id of certbot's");
}

/** A private key as certbot writes it. */
export function privateKeyRecord(privateKeyPem: string): string {
  return JSON.stringify(createPrivateKey(privateKeyPem).export({ format: "jwk" }));
}

function unusableAccount(what: string, reason: string, cause?: unknown): StoreError {
  return new StoreError({
    // An account in `accounts/` can't be read. Mend it or move it away: a new one is registered then.
    code: "ACCOUNT_UNREADABLE",
    message: `can't use the ACME account ${what}: ${reason}`,
    remedy: "Restore that folder from a backup, or move it away: a new account is registered then.",
    cause,
  });
}
