import { unlessErrno } from "../certificate/index.ts";
import type { IssuedCertificate, LineageVersion } from "../reconcile/index.ts";
import { ITSELF, type DurableFiles, type FileMode } from "./durable-files.ts";
import { KINDS, parseArchived, type Kind, type TreePaths } from "./tree-paths.ts";
import { fromReadError, judgePair, type VersionFinding, type VersionTexts } from "./version-finding.ts";

const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;
const ARCHIVE_FOLDER_MODE = 0o755;

// The bits that certbot takes over from the key before: an operator gave a group access (a mail server, say).
const KEPT_KEY_BITS = 0o074;

// certbot keeps these many besides the current one.
const KEPT_VERSIONS = 5;

/** The texts certbot would write of an issued certificate. */
export function versionTexts({ certificatePem, chainPem, privateKeyPem }: IssuedCertificate): VersionTexts {
  return { cert: certificatePem, chain: chainPem, fullchain: certificatePem + chainPem, privkey: privateKeyPem };
}

/** Reads the four files of a version. Throws system errors. */
export async function readTexts({ fs }: DurableFiles, pathOf: (kind: Kind) => string): Promise<VersionTexts> {
  const [cert = "", chain = "", fullchain = "", privkey = ""] = await Promise.all(
    KINDS.map((kind) => fs.readFile(pathOf(kind), "utf8")),
  );
  return { cert, chain, fullchain, privkey };
}

/** `archive/<lineage>/{cert,chain,fullchain,privkey}<N>.pem`. All throw system errors. */
export class Archive {
  readonly #paths: TreePaths;
  readonly #files: DurableFiles;

  constructor(paths: TreePaths, files: DurableFiles) {
    this.#paths = paths;
    this.#files = files;
  }

  /** The numbers that any file of a version has, highest first. */
  async numbers(lineage: string): Promise<number[]> {
    const entries = await this.#files.list(this.#paths.archiveOf(lineage));
    return [...new Set(entries.flatMap((entry) => parseArchived(entry)?.version ?? []))].sort((a, b) => b - a);
  }

  /** Reads one version; all four files must be there. Never throws. */
  async read(lineage: string, version: number): Promise<VersionFinding> {
    try {
      const texts = await readTexts(this.#files, (kind) => this.#paths.archived(lineage, kind, version));
      const finding = judgePair(version, texts);
      if (finding.kind === "broken" || texts.fullchain.startsWith(texts.cert.trim() || " ")) return finding;
      return { kind: "broken", reason: `cert${version}.pem and fullchain${version}.pem hold different certificates` };
    } catch (thrown) {
      return fromReadError(thrown);
    }
  }

  /** The highest good version, of those below `below` when that is given. */
  async newestGood(lineage: string, below = Number.POSITIVE_INFINITY): Promise<LineageVersion | undefined> {
    for (const number of await this.numbers(lineage)) {
      const finding = number < below ? await this.read(lineage, number) : undefined;
      if (finding?.kind === "good") return finding.version;
    }
    return undefined;
  }

  /**
   * Writes a version that must not exist yet. Throws EEXIST when a foreign certbot has just taken the number; nothing of
   * ours is left then, or after any other failure.
   */
  async write(lineage: string, version: number, texts: VersionTexts): Promise<void> {
    await this.#files.ensureFolder(this.#paths.archiveOf(lineage), ARCHIVE_FOLDER_MODE);
    const keyMode = await this.#keyMode(lineage, version);
    const written: string[] = [];
    try {
      for (const kind of KINDS) {
        const path = this.#paths.archived(lineage, kind, version);
        await this.#files.create(path, texts[kind], kind === "privkey" ? keyMode : { mode: CERTIFICATE_MODE });
        written.push(path);
      }
      await this.#files.syncFolder(this.#paths.archiveOf(lineage));
    } catch (thrown) {
      for (const path of written) await this.#files.fs.rm(path, { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  /** Gives the files of a version the time `now`; what a link of certbot's --reuse-key leads to is an older version's. */
  async touch(lineage: string, version: number, now: Date): Promise<void> {
    for (const kind of KINDS) {
      const path = this.#paths.archived(lineage, kind, version);
      if ((await this.#files.readLink(path)) !== undefined) continue;
      await using file = await this.#files.fs.open(path, ITSELF);
      await file.utimes(now, now);
    }
  }

  /** Removes a version that has never been shown. */
  async discard(lineage: string, version: number): Promise<void> {
    for (const kind of KINDS) await this.#files.fs.rm(this.#paths.archived(lineage, kind, version), { force: true });
  }

  /** Removes versions older than the ones certbot would keep beside `current`; `kept` ones stay in any case. */
  async prune(lineage: string, current: number, kept: readonly number[]): Promise<void> {
    const older = (await this.numbers(lineage)).filter((number) => number < current);
    const linked = await this.#linkedKeys(lineage, [current, ...older.slice(0, KEPT_VERSIONS)]);
    for (const number of older.slice(KEPT_VERSIONS)) {
      if (!kept.includes(number) && !linked.includes(number)) await this.discard(lineage, number);
    }
  }

  // certbot's --reuse-key makes privkey<N>.pem a link to the version that the key was made for.
  async #linkedKeys(lineage: string, versions: readonly number[]): Promise<number[]> {
    const links = versions.map(async (version) => {
      const target = await this.#files.readLink(this.#paths.archived(lineage, "privkey", version));
      return parseArchived(target ?? "")?.version ?? [];
    });
    return (await Promise.all(links)).flat();
  }

  async #keyMode(lineage: string, version: number): Promise<FileMode> {
    const before = (await this.numbers(lineage)).find((number) => number < version);
    if (before === undefined) return { mode: KEY_MODE };
    const key = await unlessErrno(
      this.#files.fs.stat(this.#paths.archived(lineage, "privkey", before)),
      "ENOENT",
      "ELOOP",
    );
    return key === undefined ? { mode: KEY_MODE } : { mode: KEY_MODE | (key.mode & KEPT_KEY_BITS), gid: key.gid };
  }
}
