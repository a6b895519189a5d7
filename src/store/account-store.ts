import { createHash, createPrivateKey, createPublicKey, type JsonWebKey } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Account, AccountStore } from "../reconcile/index.ts";
import { DurableFiles, REAL_FILES, type FileSystem } from "./durable-files.ts";
import { hasErrno, StoreError, translated } from "./errors.ts";
import { listFolder } from "./optional-reads.ts";

const FOLDER_MODE = 0o700;
const KEY_MODE = 0o400;
const RECORD_MODE = 0o644;

const ACCOUNT_ID = /^[0-9a-f]{32}$/;

/** What the account store needs. */
export type AccountStoreOptions = {
  /** certbot's configuration folder, `/etc/letsencrypt`. */
  readonly root: string;
  /** For tests that fail, or die, at one call. */
  readonly fs?: FileSystem | undefined;
};

type FoundAccount = { readonly account: Account; readonly createdAt: string };

/** The accounts under `root`, as certbot 5 keeps them: `accounts/<server host and path>/<id>/` with three JSON files. */
export function createAccountStore({ root, fs = REAL_FILES }: AccountStoreOptions): AccountStore {
  return new CertbotAccounts(root, fs);
}

class CertbotAccounts implements AccountStore {
  readonly #accounts: string;
  readonly #root: string;
  readonly #files: DurableFiles;
  readonly #fs: FileSystem;

  constructor(root: string, fs: FileSystem) {
    this.#root = root;
    this.#accounts = join(root, "accounts");
    this.#files = new DurableFiles(root, fs);
    this.#fs = fs;
  }

  /** The preferred account when it is usable, else the newest usable one. */
  async find(directoryUrl: string, preferredId?: string): Promise<Account | undefined> {
    const folder = join(this.#accounts, ...serverFolders(directoryUrl));
    const ids = await translated("look for ACME accounts", folder, async () =>
      (await listFolder(folder, this.#fs)).filter((entry) => ACCOUNT_ID.test(entry)),
    );
    const read = await Promise.allSettled(ids.map((id) => this.#read(join(folder, id), id)));
    const usable = read.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const [newest] = usable.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    const found = usable.find(({ account }) => account.id === preferredId) ?? newest;
    const failed = read.find((one) => one.status === "rejected");
    if (!found && failed) throw failed.reason;
    return found?.account;
  }

  async save(directoryUrl: string, account: Account, registration: { email?: string | undefined; createdAt: Date }) {
    const folders = serverFolders(directoryUrl);
    const path = join(this.#accounts, ...folders, account.id);
    await translated("keep the new ACME account", path, async () => {
      await this.#fs.mkdir(this.#root, { recursive: true });
      await this.#ensureFolders(["accounts", ...folders]);
      if (await this.#isKept(path, account)) return;
      const prepared = join(this.#accounts, `.new-${account.id}`);
      await this.#fs.rm(prepared, { recursive: true, force: true });
      await this.#files.ensureFolder(prepared, FOLDER_MODE);
      await this.#writeRecords(prepared, account, registration);
      await this.#fs.rename(prepared, path);
      await this.#files.syncFolder(join(this.#accounts, ...folders));
    });
  }

  async setAside(directoryUrl: string, accountId: string): Promise<void> {
    if (!ACCOUNT_ID.test(accountId)) throw unreadable(accountId, "is not an account id of certbot's");
    const folders = serverFolders(directoryUrl);
    const path = join(this.#accounts, ...folders, accountId);
    await translated("put an ACME account aside", path, () => this.#moveAside(folders, accountId));
  }

  // Not beside the other accounts: certbot takes every folder there for one, and asks which it shall use.
  async #moveAside(folders: readonly string[], accountId: string): Promise<void> {
    const path = join(this.#accounts, ...folders, accountId);
    await this.#ensureFolders(["accounts", "set-aside", ...folders]);
    const asideFolder = join(this.#accounts, "set-aside", ...folders);
    const taken = await listFolder(asideFolder, this.#fs);
    const count = taken.filter((entry) => entry.startsWith(accountId)).length;
    try {
      await this.#fs.rename(path, join(asideFolder, count === 0 ? accountId : `${accountId}-${count}`));
    } catch (thrown) {
      if (hasErrno(thrown, "ENOENT")) return;
      throw thrown;
    }
    await this.#files.syncFolder(asideFolder);
    await this.#files.syncFolder(join(this.#accounts, ...folders));
  }

  // An account folder that can't be read (a certbot that died in it) makes room, its key kept.
  async #isKept(path: string, account: Account): Promise<boolean> {
    if ((await listFolder(path, this.#fs)).length === 0) return false;
    try {
      const known = await this.#read(path, account.id);
      if (known.account.url === account.url) return true;
    } catch (thrown) {
      if (!(thrown instanceof StoreError)) throw thrown;
    }
    await this.#moveAside(
      path
        .slice(this.#accounts.length + 1)
        .split("/")
        .slice(0, -1),
      account.id,
    );
    return false;
  }

  async #writeRecords(folder: string, account: Account, { email, createdAt }: Registration): Promise<void> {
    const key = createPrivateKey(account.privateKeyPem);
    if (accountIdOf(account.privateKeyPem) !== account.id) throw unreadable(account.id, "is not the id of its key");
    const body = email === undefined ? {} : { contact: [`mailto:${email}`] };
    const meta = {
      creation_dt: createdAt.toISOString().replace(/\.\d+Z$/, "Z"),
      creation_host: hostname(),
      register_to_eff: null,
    };
    const write = (name: string, record: object, mode: number) =>
      this.#files.create(join(folder, name), JSON.stringify(record), { mode });
    await write("private_key.json", key.export({ format: "jwk" }), KEY_MODE);
    await write("regr.json", { body, uri: account.url }, RECORD_MODE);
    await write("meta.json", meta, RECORD_MODE);
    await this.#files.syncFolder(folder);
  }

  async #read(folder: string, id: string): Promise<FoundAccount> {
    try {
      const [jwk, registration, meta] = await Promise.all(
        ["private_key.json", "regr.json", "meta.json"].map((name) => this.#readRecord(join(folder, name))),
      );
      const key = createPrivateKey({ key: jwk as JsonWebKey, format: "jwk" });
      const privateKeyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
      if (accountIdOf(privateKeyPem) !== id) throw new Error("the folder's name is not the id of the key in it");
      const url = registration?.["uri"];
      if (typeof url !== "string" || url === "") throw new Error("regr.json has no uri");
      return { account: { id, privateKeyPem, url }, createdAt: JSON.stringify(meta?.["creation_dt"]) };
    } catch (thrown) {
      throw unreadable(folder, thrown instanceof Error ? thrown.message : String(thrown), thrown);
    }
  }

  async #readRecord(path: string): Promise<Record<string, unknown> | undefined> {
    return JSON.parse(await this.#fs.readFile(path, "utf8")) as Record<string, unknown> | undefined;
  }

  async #ensureFolders(folders: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= folders.length; depth += 1) {
      await this.#files.ensureFolder(join(this.#root, ...folders.slice(0, depth)), FOLDER_MODE);
    }
  }
}

type Registration = { readonly email?: string | undefined; readonly createdAt: Date };

// certbot's rule: the URL's authority, port included, then its path.
function serverFolders(directoryUrl: string): string[] {
  const [, authority, path] = /^[a-z]+:\/\/([^/?#]+)([^?#]*)/i.exec(directoryUrl) ?? [];
  const folders = [authority ?? "", ...(path ?? "").split("/").filter((part) => part !== "")];
  if (authority && !folders.some((folder) => folder === "." || folder === "..")) return folders;
  throw unreadable(directoryUrl, "is not the URL of an ACME directory");
}

// certbot's rule: hex MD5 of the public key's PEM. A name, no protection.
function accountIdOf(privateKeyPem: string): string {
  const pem = createPublicKey(privateKeyPem).export({ type: "spki", format: "pem" });
  return createHash("md5").update(pem).digest("hex");
}

function unreadable(what: string, reason: string, cause?: unknown): StoreError {
  return new StoreError({
    code: "ACCOUNT_UNREADABLE",
    message: `can't use the ACME account ${what}: ${reason}`,
    remedy: "Restore that folder from a backup, or move it away: a new account is registered then.",
    cause,
  });
}
