import { X509Certificate } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { ConfigurationRejectedError, type DeployTarget } from "../../src/reconcile/index.ts";

/** What a server has taken, or is asked to take, into its configuration: a line per name, first come first served. */
type Configuration = ReadonlyMap<string, { readonly lineage: string; readonly fingerprint: string; version: number }>;

/** An nginx in miniature: what it serves is what the list and `live/` showed at its last reload. */
export class TestTarget implements DeployTarget {
  readonly name: string;
  reloads = 0;
  tests = 0;
  /** Whether its test refuses a version of a lineage. */
  refuses: (lineage: string, version: number) => boolean = () => false;
  /** Called before its test and its reload; what it throws is their result. */
  before: (doing: "test" | "reload") => void = () => undefined;
  /** Whether a look finds nothing of what it serves: it is starting, or workers of before answer. */
  hides: () => boolean = () => false;
  #serves: Configuration = new Map();
  readonly #root: string;

  constructor(root: string, name = "nginx-1") {
    this.#root = root;
    this.name = name;
  }

  /** `name=lineage/version` of each name that is served with a certificate. */
  served(): string[] {
    return [...this.#serves].map(([name, { lineage, version }]) => `${name}=${lineage}/${version}`).sort();
  }

  async observe({ identifiers, fingerprint }: Parameters<DeployTarget["observe"]>[0]) {
    const other = identifiers.find(({ value }) => this.#serves.get(value)?.fingerprint !== fingerprint);
    if (!this.hides() && !other) return { kind: "served" } as const;
    const name = other?.value ?? "all its names";
    return { kind: "not-served", message: `another one for ${name}`, remedy: "Look." } as const;
  }

  async test(): Promise<void> {
    this.tests += 1;
    this.before("test");
    for (const { lineage, version } of (await this.#read()).values()) {
      if (this.refuses(lineage, version)) throw new ConfigurationRejectedError(this.name, `emerg: ${lineage}`);
    }
  }

  async reload(): Promise<void> {
    this.before("reload");
    this.reloads += 1;
    this.#serves = await this.#read();
  }

  async #read(): Promise<Configuration> {
    const list = await readFile(join(this.#root, "sidecar", "certificates"), "utf8").catch(() => "");
    const serves = new Map<string, { lineage: string; fingerprint: string; version: number }>();
    for (const line of list.split("\n").filter(Boolean)) {
      const [lineage = "", ...names] = line.split(" ");
      const live = join(this.#root, "live", lineage);
      const pem = await readFile(join(live, "fullchain.pem"), "utf8").catch(() => undefined);
      if (pem === undefined) continue;
      const version = Number(/(\d+)\.pem$/.exec(await readlink(join(live, "cert.pem")))?.[1]);
      const { fingerprint256: fingerprint } = new X509Certificate(pem);
      for (const name of names) if (!serves.has(name)) serves.set(name, { lineage, fingerprint, version });
    }
    return serves;
  }
}
