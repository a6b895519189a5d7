import { createHash } from "node:crypto";
import { join } from "node:path";
import { unlessErrno } from "../certificate/index.ts";
import type { DurableFiles } from "./durable-files.ts";
import {
  KINDS,
  generationName,
  parseArchived,
  parseGeneration,
  type Generation,
  type Kind,
  type TreePaths,
} from "./tree-paths.ts";
import { fromReadError, judgePair, type ServerPair, type VersionFinding } from "./version-finding.ts";

const GENERATION_MODE = 0o755;
// certbot's own, of the whole folder.
const LIVE_MODE = 0o700;

/** What `live/<lineage>` is: our link, certbot's real folder, or nothing. */
export type Shown =
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "folder" | "none"; readonly target?: undefined };

/**
 * `live/<lineage>`: a link to a sibling folder, the generation, with the four links into the archive. One rename of the
 * link shows another version. certbot, when it renews, changes the links inside the generation. All throw system errors.
 */
export class LiveFolder {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;
  /** What was found last, by lineage, and in which texts: they seldom change, and parsing is the dear part of a look. */
  readonly #judged = new Map<string, { readonly digest: string; readonly finding: VersionFinding }>();

  constructor(paths: TreePaths, files: DurableFiles) {
    this.#paths = paths;
    this.#files = files;
  }

  async shown(lineage: string): Promise<Shown> {
    const path = this.#paths.liveOf(lineage);
    const target = await this.#files.readLink(path);
    if (target !== undefined) return { kind: "link", target };
    return { kind: (await unlessErrno(this.#files.fs.lstat(path), "ENOENT"))?.isDirectory() ? "folder" : "none" };
  }

  /**
   * Reads what a server would read. `holdsCopies`: files where certbot has links, as after a copy that followed them.
   * Never throws.
   */
  async read(lineage: string): Promise<{ readonly finding: VersionFinding; readonly holdsCopies: boolean }> {
    const at = (kind: Kind) => join(this.#paths.liveOf(lineage), `${kind}.pem`);
    try {
      const targets = await Promise.all(KINDS.map((kind) => this.#files.readLink(at(kind))));
      const numbers = targets.map((target) => parseArchived(target ?? "")?.version);
      const [fullchain = "", privkey = ""] = await Promise.all(
        [at("fullchain"), at("privkey")].map((path) => this.#files.fs.readFile(path, "utf8")),
      );
      if (numbers.some((number) => number === undefined)) {
        const holdsCopies = targets.every((target) => target === undefined);
        return { finding: { kind: "broken", reason: "it does not hold certbot's four links" }, holdsCopies };
      }
      return { finding: this.#judge(lineage, numbers, { fullchain, privkey }), holdsCopies: false };
    } catch (thrown) {
      return { finding: fromReadError(thrown), holdsCopies: false };
    }
  }

  /** The names in `live` that can be a lineage's. */
  async lineages(): Promise<string[]> {
    return (await this.#files.list(this.#paths.live)).filter((entry) => !entry.startsWith(".") && entry !== "README");
  }

  /** Every generation folder of a lineage, in no order. */
  async generations(lineage: string): Promise<Generation[]> {
    // Of some thousands in there.
    const own = (await this.#files.list(this.#paths.live)).filter((entry) => entry.startsWith(`.${lineage}.`));
    return own.flatMap((entry) => parseGeneration(entry) ?? []).filter((one) => one.lineage === lineage);
  }

  /** Makes a generation that shows `version`, durable but not shown yet; gives its folder's name. */
  async stage(lineage: string, version: number): Promise<string> {
    const shown = await this.shown(lineage);
    // certbot may have changed the links in the shown folder, so its name says nothing; it can't be made anew either.
    const first = generationName(lineage, version);
    const folder = shown.target === first ? generationName(lineage, version, 1) : first;
    await this.#files.ensureFolder(this.#paths.live, LIVE_MODE);
    await this.discard(folder);
    const path = join(this.#paths.live, folder);
    try {
      await this.#files.ensureFolder(path, GENERATION_MODE);
      for (const kind of KINDS) {
        await this.#files.createLink(`../../archive/${lineage}/${kind}${version}.pem`, join(path, `${kind}.pem`));
      }
      await this.#carryOver(lineage, shown, path);
      await this.#files.syncFolder(path);
      return folder;
    } catch (thrown) {
      await this.discard(folder).catch(() => undefined);
      throw thrown;
    }
  }

  /**
   * Publishes a generation by one rename. A real folder of certbot's is moved aside first: for that one moment there is
   * no `live/<lineage>`, and a death in it is mended by `putBackAdopted`.
   */
  async switchTo(lineage: string, folder: string): Promise<void> {
    const next = this.#paths.nextLink(lineage);
    await this.removeNextLink(lineage);
    await this.#files.createLink(folder, next);
    const isFolder = (await this.shown(lineage)).kind === "folder";
    try {
      if (isFolder) await this.#files.fs.rename(this.#paths.liveOf(lineage), this.#paths.adopted(lineage));
      await this.#files.fs.rename(next, this.#paths.liveOf(lineage));
    } catch (thrown) {
      await this.putBackAdopted(lineage);
      await this.removeNextLink(lineage);
      throw thrown;
    }
    await this.#files.syncFolder(this.#paths.live);
  }

  /** Removes what a switch that died may have left of its link. */
  async removeNextLink(lineage: string): Promise<void> {
    await this.#files.fs.rm(this.#paths.nextLink(lineage), { force: true });
  }

  /** Whether a real folder of certbot's stands aside, and nothing is in its place. Puts it back then. */
  async putBackAdopted(lineage: string): Promise<boolean> {
    if ((await this.shown(lineage)).kind !== "none") return false;
    return this.#files.renameIfThere(this.#paths.adopted(lineage), this.#paths.liveOf(lineage));
  }

  /**
   * Removes certbot's folder once our link is in its place. One that holds a key as a file, which may be the only copy, is
   * renamed and kept, unless the caller says that the archive has it.
   */
  async removeAdopted(lineage: string, { isArchived = false } = {}): Promise<void> {
    const path = this.#paths.adopted(lineage);
    const key = isArchived ? undefined : await this.#files.fs.lstat(join(path, "privkey.pem")).catch(() => undefined);
    if (key?.isFile()) await this.#files.fs.rename(path, `${path}-${Math.trunc(key.mtimeMs)}`);
    else await this.#files.fs.rm(path, { recursive: true, force: true });
  }

  /** Removes a generation that isn't shown: links only, the archive keeps the files. May run twice. */
  async discard(folder: string): Promise<void> {
    await this.#files.fs.rm(join(this.#paths.live, folder), { recursive: true, force: true });
  }

  /** Removes the generations that aren't shown, but keeps the one before; gives the versions of those that are left. */
  async tidy(lineage: string, version: number): Promise<number[]> {
    const { target } = await this.shown(lineage);
    const own = (await this.generations(lineage)).sort((a, b) => b.version - a.version);
    const before = own.find((one) => one.folder !== target && one.version < version);
    const left = own.filter((one) => one.folder === target || one === before);
    for (const one of own) if (!left.includes(one)) await this.discard(one.folder);
    return left.map((one) => one.version);
  }

  /** Takes away what `certbot delete` leaves of our layout: a link to an empty generation, older ones. Whether it was so. */
  async removeIfEmpty(lineage: string): Promise<boolean> {
    const { target = "" } = await this.shown(lineage);
    if (parseGeneration(target)?.lineage !== lineage) return false;
    if ((await this.#files.list(join(this.#paths.live, target))).length > 0) return false;
    // The link last: without it a generation would look like an install that died.
    for (const { folder } of await this.generations(lineage)) await this.discard(folder);
    await this.#files.fs.unlink(this.#paths.liveOf(lineage));
    return true;
  }

  #judge(lineage: string, numbers: readonly (number | undefined)[], pair: ServerPair): VersionFinding {
    const digest = createHash("sha256")
      .update(JSON.stringify([numbers, pair]))
      .digest("hex");
    const known = this.#judged.get(lineage);
    if (known?.digest === digest) return known.finding;
    const finding = judgeLinks(numbers, pair);
    this.#judged.set(lineage, { digest, finding });
    return finding;
  }

  // People put files of their own into live/<lineage> (a combined PEM, say); servers must find them after the switch too.
  async #carryOver(lineage: string, shown: Shown, to: string): Promise<void> {
    const isOurs = parseGeneration(shown.target ?? "")?.lineage === lineage;
    if (shown.kind !== "folder" && !isOurs) return;
    for (const entry of await this.#files.list(this.#paths.liveOf(lineage))) {
      // certbot goes back to its previous_*.pem links when it finds them: they are of the old version.
      if (/^(?:previous_)?(?:cert|chain|fullchain|privkey)\.pem$/.test(entry)) continue;
      await this.#files.copy(join(this.#paths.liveOf(lineage), entry), join(to, entry));
    }
  }
}

function judgeLinks(numbers: readonly (number | undefined)[], pair: ServerPair): VersionFinding {
  const [first] = numbers;
  if (first !== undefined && numbers.every((number) => number === first)) return judgePair(first, pair);
  const list = KINDS.map((kind, index) => `${kind} ${numbers[index] ?? "none"}`).join(", ");
  return { kind: "broken", reason: `its links show different versions: ${list}` };
}
