import { createPrivateKey } from "node:crypto";
import { mapLimited, toFailure } from "../certificate/index.ts";
import type { ChallengeConfs, Log } from "../ports/index.ts";
import type {
  CaLedger,
  CertificatePair,
  LineageState,
  LineageStore,
  LineageVersion,
  NewVersion,
  Recovery,
  StoredLineage,
  StoredOrder,
} from "../reconcile/index.ts";
import { REAL_FILES, type FileSystem } from "./durable-files.ts";
import { fromSystemError, StoreError, translated } from "./errors.ts";
import { installVersion, unusableVersion } from "./installation.ts";
import { checkIssued } from "./issued-checks.ts";
import { listFolder } from "./optional-reads.ts";
import { findTraces, recoverLineage, type Traces } from "./recovery.ts";
import { StateFiles, type ListedCertificate } from "./state-files.ts";
import { isSafeName, safeName, unsafeName } from "./tree-paths.ts";
import { openTree, publish, type Tree } from "./tree.ts";
import type { BrokenVersion } from "./version-finding.ts";

/** What the store needs. */
export type LineageStoreOptions = {
  /** certbot's configuration folder, `/etc/letsencrypt`. Made when it isn't there. */
  readonly root: string;
  readonly log: Log;
  /** How confs say by what names are proven. */
  readonly challenges: ChallengeConfs;
  /** For tests that fail, or die, at one call. */
  readonly fs?: FileSystem | undefined;
};

// Open files are limited; the thread pool that serves them has four threads anyway.
const LINEAGES_AT_ONCE = 16;

const ORDERS_KEPT_FOR_MS = 24 * 3600_000;

/** The lineages under `root`, as certbot 5 keeps them: see {@link LineageStore} for what each call promises. */
export function createLineageStore(options: LineageStoreOptions): LineageStore {
  return new CertbotTree(options);
}

class CertbotTree implements LineageStore {
  readonly #tree: Tree;
  readonly #state: StateFiles;
  readonly #log: Log;

  constructor({ root, log, challenges, fs = REAL_FILES }: LineageStoreOptions) {
    this.#tree = openTree(root, fs, challenges);
    this.#state = new StateFiles(this.#tree.paths, this.#tree.files, log);
    this.#log = log;
  }

  async list(): Promise<readonly StoredLineage[]> {
    const { renewal } = this.#tree.paths;
    const names = await translated("list the certificates", renewal, () => this.#tree.confs.lineages());
    return mapLimited(names.confirmed, LINEAGES_AT_ONCE, (name) => this.#describe(name));
  }

  async recover(): Promise<readonly Recovery[]> {
    const { root } = this.#tree.paths;
    const recoveries = await translated("look for interrupted work", root, async () => {
      await this.#removeTemporaryFiles();
      const mended = await mapLimited(await findTraces(this.#tree), LINEAGES_AT_ONCE, (traces) =>
        this.#recoverOne(traces),
      );
      await this.#removeOldOrders();
      return mended;
    });
    return recoveries.flat();
  }

  async install(version: NewVersion, now: Date): Promise<LineageVersion> {
    const lineage = safeName(version.lineage);
    checkIssued(version, now);
    return translated(`install the certificate ${lineage}`, this.#tree.paths.root, () =>
      installVersion(this.#tree, version, this.#log),
    );
  }

  async show(lineage: string, version: number): Promise<LineageVersion> {
    const { archive, live, paths } = this.#tree;
    const finding = await archive.read(safeName(lineage), version);
    if (finding.kind === "broken") throw unusableVersion(lineage, version, finding.reason);
    await translated(`show version ${version} of ${lineage}`, paths.liveOf(lineage), async () => {
      const current = (await live.read(lineage)).finding;
      if (current.kind === "good" && current.version.version === version) return;
      await publish(this.#tree, lineage, version);
    });
    return finding.version;
  }

  async previousVersion(lineage: string, version: number): Promise<LineageVersion | undefined> {
    const { archive, paths } = this.#tree;
    const folder = paths.archiveOf(safeName(lineage));
    const finding = await translated("look for older versions", folder, () => archive.newestGood(lineage, version));
    return finding?.kind === "good" ? finding.version : undefined;
  }

  async touch(lineage: string, version: number, now: Date): Promise<void> {
    const { archive, paths } = this.#tree;
    const folder = paths.archiveOf(safeName(lineage));
    await translated(`give the files of ${lineage} a new time`, folder, () => archive.touch(lineage, version, now));
  }

  async pair(lineage: string, version: number): Promise<CertificatePair> {
    const { fs, paths } = this.#tree;
    const read = (kind: "privkey" | "fullchain") =>
      fs.readFile(paths.archived(safeName(lineage), kind, version), "utf8");
    return translated(`read version ${version} of ${lineage}`, paths.archiveOf(lineage), async () => {
      return { privateKeyPem: await read("privkey"), chainPem: await read("fullchain") };
    });
  }

  // certbot before 2 wrote RSA keys in PKCS #1.
  async privateKey(lineage: string, version: number): Promise<string | undefined> {
    try {
      const path = this.#tree.paths.archived(safeName(lineage), "privkey", version);
      const key = createPrivateKey(await this.#tree.fs.readFile(path, "utf8"));
      return key.export({ type: "pkcs8", format: "pem" }).toString();
    } catch {
      return undefined;
    }
  }

  loadState(lineage: string): Promise<LineageState> {
    const path = this.#tree.paths.state(lineage);
    return translated(`read the state of ${lineage}`, path, () => this.#state.load(lineage));
  }

  saveState(lineage: string, state: LineageState): Promise<void> {
    const { sidecar } = this.#tree.paths;
    return translated(`save the state of ${lineage}`, sidecar, () => this.#state.save(lineage, state));
  }

  loadOrder(lineage: string): Promise<StoredOrder | undefined> {
    const path = this.#tree.paths.order(lineage);
    return translated(`read the open order of ${lineage}`, path, () => this.#state.loadOrder(lineage));
  }

  saveOrder(lineage: string, order: StoredOrder): Promise<void> {
    const { orders } = this.#tree.paths;
    return translated(`save the open order of ${lineage}`, orders, () => this.#state.saveOrder(lineage, order));
  }

  removeOrder(lineage: string): Promise<void> {
    const { orders } = this.#tree.paths;
    return translated(`forget the open order of ${lineage}`, orders, () => this.#state.removeOrder(lineage));
  }

  loadLedger(directoryUrl: string): Promise<CaLedger> {
    const path = this.#tree.paths.ledger(directoryUrl);
    return translated(`read what was asked of ${directoryUrl}`, path, () => this.#state.loadLedger(directoryUrl));
  }

  saveLedger(ledger: CaLedger): Promise<void> {
    const { ledgers } = this.#tree.paths;
    return translated(`save what was asked of ${ledger.directoryUrl}`, ledgers, () => this.#state.saveLedger(ledger));
  }

  saveCertificateList(certificates: readonly ListedCertificate[]): Promise<void> {
    const { sidecar } = this.#tree.paths;
    return translated("save the list of certificates", sidecar, () => this.#state.saveList(certificates));
  }

  // One lineage that can't be mended keeps nobody from the others, nor the sidecar from starting.
  async #recoverOne(traces: Traces): Promise<Recovery[]> {
    const { lineage } = traces;
    const path = this.#tree.paths.liveOf(lineage);
    try {
      return await translated(`mend the certificate ${lineage}`, path, () => recoverLineage(this.#tree, traces));
    } catch (thrown) {
      this.#log.error("lineage.failed", { lineage, ...toFailure(thrown) });
      return [];
    }
  }

  async #describe(name: string): Promise<StoredLineage> {
    const { live, confs, challenges, paths } = this.#tree;
    if (!isSafeName(name)) return { name, problem: unsafeName(name) };
    const { finding } = await live.read(name);
    const current = finding.kind === "good" ? finding.version : undefined;
    const problem = finding.kind === "broken" ? problemOf(name, paths.liveOf(name), finding) : undefined;
    try {
      return { name, settings: await confs.read(name, challenges), current, problem };
    } catch (thrown) {
      return { name, current, problem: unreadableConf(paths.conf(name), thrown) };
    }
  }

  // Keys are in there: what nobody has come back for in a day goes.
  async #removeOldOrders(): Promise<void> {
    const { orders } = this.#tree.paths;
    for (const entry of await listFolder(orders, this.#tree.fs)) {
      const path = `${orders}/${entry}`;
      const found = await this.#tree.fs.lstat(path);
      if (found.isFile() && Date.now() - found.mtimeMs > ORDERS_KEPT_FOR_MS)
        await this.#tree.fs.rm(path, { force: true });
    }
  }

  async #removeTemporaryFiles(): Promise<void> {
    const { renewal, sidecar, ledgers, orders, notes } = this.#tree.paths;
    for (const folder of [renewal, sidecar, ledgers, orders, notes]) {
      const entries = await listFolder(folder, this.#tree.fs);
      const left = entries.filter((entry) => /^\..+\.new$/.test(entry));
      for (const entry of left) await this.#tree.fs.rm(`${folder}/${entry}`, { force: true });
    }
  }
}

function problemOf(lineage: string, path: string, { reason, unreadable }: BrokenVersion): StoreError {
  if (unreadable !== undefined) return fromSystemError(`read the certificate ${lineage}`, path, unreadable);
  return new StoreError({
    code: "LINEAGE_BROKEN", // A certificate's files are missing, unreadable or don't belong together.
    message: `can't use the certificate in live/${lineage}: ${reason}`,
    remedy: `Restart the sidecar, which shows the newest good version in archive/${lineage} again, or run update-cert to order one.`,
  });
}

function unreadableConf(path: string, cause: unknown): StoreError {
  return new StoreError({
    code: "RENEWAL_CONF_UNREADABLE", // A `renewal/<name>.conf` can't be read.
    message: `can't read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
    remedy: "Mend that line, or name the certificate in CERTBOT_DOMAIN: its next issue writes the file anew.",
    path,
    cause,
  });
}
