import type { Stats } from "node:fs";
import { unlessErrno } from "../certificate/index.ts";
import type { ChallengeConfs } from "../ports/index.ts";
import type { NewVersion } from "../reconcile/index.ts";
import { readAddedNames } from "./added-names.ts";
import type { DurableFiles } from "./durable-files.ts";
import { RenewalConf } from "./renewal-conf.ts";
import { readSettings, renameAccount, writeSettings, type AccountRename, type ConfFacts } from "./renewal-settings.ts";
import type { TreePaths } from "./tree-paths.ts";

const CONF_MODE = 0o644;
// certbot's mode of the folder.
const CONF_FOLDER_MODE = 0o755;
const CONF_NAME = /^([^.].*)\.conf$/;
const PREPARED_NAME = /^\.(.+)\.conf\.prepared$/;

/** The files in `renewal/`: certbot's confs, and ours of versions that are about to be published. */
export class ConfFiles {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;

  constructor(paths: TreePaths, files: DurableFiles) {
    this.#paths = paths;
    this.#files = files;
  }

  /** The lineages that have a conf, and those that have only a prepared one; by name. */
  async lineages(): Promise<{ readonly confirmed: string[]; readonly prepared: string[] }> {
    const entries = (await this.#files.list(this.#paths.renewal)).sort();
    const named = (pattern: RegExp) => entries.flatMap((entry) => pattern.exec(entry)?.[1] ?? []);
    return { confirmed: named(CONF_NAME), prepared: named(PREPARED_NAME) };
  }

  async has(lineage: string): Promise<boolean> {
    return (await this.#found(this.#paths.conf(lineage))) !== undefined;
  }

  /**
   * How a lineage is renewed, the names that the CA has added to it, and the name of the one whose files the conf speaks of.
   * Throws system errors, and an Error that says what is wrong with the text.
   */
  async read(lineage: string, challenges: ChallengeConfs) {
    const conf = await this.#read(lineage);
    const shows = conf.text("", "cert")?.split("/").at(-2);
    return { settings: readSettings(conf, challenges), addedNames: readAddedNames(conf), shows };
  }

  /** The names that the CA has added to the version in force; none where the conf doesn't say. */
  async addedNames(lineage: string): Promise<readonly string[]> {
    return this.#read(lineage).then(readAddedNames, () => []);
  }

  /** Writes the conf of a version that is shown, where there is none or an empty one. Whether it did. */
  async writeMissing(about: Omit<NewVersion, "issued">, challenges: ChallengeConfs): Promise<boolean> {
    const path = this.#paths.conf(about.lineage);
    const found = await this.#found(path);
    if (found && !(found.isFile() && found.size === 0)) return false;
    const facts = { ...about, accountId: about.settings.accountId, addedNames: [] };
    await this.#files.ensureFolder(this.#paths.renewal, CONF_FOLDER_MODE);
    await this.#files.replace(path, await this.#edit("", facts, challenges), { mode: CONF_MODE });
    return true;
  }

  async #read(lineage: string): Promise<RenewalConf> {
    return new RenewalConf(await this.#files.fs.readFile(this.#paths.conf(lineage), "utf8"));
  }

  /**
   * Writes the conf of a coming version beside the one in force, which is read anew: a foreign certbot may have changed
   * it. A conf that can't be read is replaced by a new one; the old one is kept as `<name>.conf.unreadable`. It is sure
   * to be on the disk then: after a power cut a version that is shown finds its conf.
   */
  async prepare(facts: ConfFacts, challenges: ChallengeConfs): Promise<void> {
    const { lineage } = facts;
    const text = (await this.#files.readText(this.#paths.conf(lineage))) ?? "";
    const prepared = this.#paths.preparedConf(lineage);
    await this.#files.fs.rm(prepared, { force: true });
    await this.#files.create(prepared, await this.#edit(text, facts, challenges), { mode: await this.#mode(lineage) });
    await this.#files.syncFolder(this.#paths.renewal);
  }

  /** Puts the prepared conf in force, by one rename. Whether there was one. */
  async commit(lineage: string): Promise<boolean> {
    return this.#files.renameIfThere(this.#paths.preparedConf(lineage), this.#paths.conf(lineage));
  }

  /** Puts a prepared conf that a death left in force, unless the one there is younger: somebody has changed it since. */
  async commitLeftover(lineage: string): Promise<boolean> {
    const [prepared, conf] = await Promise.all(
      [this.#paths.preparedConf(lineage), this.#paths.conf(lineage)].map((path) => this.#found(path)),
    );
    if (!prepared) return false;
    if (!conf || conf.mtimeMs <= prepared.mtimeMs) return this.commit(lineage);
    await this.discardPrepared(lineage);
    return false;
  }

  /** Makes a conf name an account's successor; writes only a change. One that can't be read is left as it is: it names nobody. */
  async renameAccount(lineage: string, rename: AccountRename): Promise<void> {
    const reading = this.#files.readText(this.#paths.conf(lineage));
    const text = await unlessErrno(reading, "EISDIR", "ELOOP", "EFBIG");
    const renamed = text === undefined ? undefined : renamedIn(text, rename);
    if (renamed === undefined) return;
    await this.#files.replace(this.#paths.conf(lineage), renamed, { mode: await this.#mode(lineage) });
  }

  async discardPrepared(lineage: string): Promise<void> {
    await this.#files.fs.rm(this.#paths.preparedConf(lineage), { force: true });
  }

  async #edit(text: string, facts: ConfFacts, challenges: ChallengeConfs): Promise<string> {
    const edit = (conf: RenewalConf) => {
      writeSettings(conf, { paths: this.#paths, challenges }, facts);
      return conf.toString();
    };
    try {
      return edit(new RenewalConf(text));
    } catch {
      // list() has told what is wrong with it. A certificate that is paid for is not given up for it.
      await this.#files.replace(`${this.#paths.conf(facts.lineage)}.unreadable`, text, { mode: CONF_MODE });
      return edit(new RenewalConf(""));
    }
  }

  async #mode(lineage: string): Promise<number> {
    return ((await this.#found(this.#paths.conf(lineage)))?.mode ?? CONF_MODE) & 0o777;
  }

  #found(path: string): Promise<Stats | undefined> {
    return unlessErrno(this.#files.fs.stat(path), "ENOENT");
  }
}

function renamedIn(text: string, rename: AccountRename): string | undefined {
  try {
    const conf = new RenewalConf(text);
    return renameAccount(conf, rename) ? conf.toString() : undefined;
  } catch {
    return undefined; // list() tells what is wrong with it
  }
}
