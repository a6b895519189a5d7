import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ConfigurationRejectedError, type ServedCertificate, type Target } from "../../src/reconcile/index.ts";

/** What a server has taken, or is asked to take, into its configuration: a line per name, first come first served. */
type Configuration = ReadonlyMap<string, { readonly lineage: string; readonly fingerprint: string; version: number }>;

/** An nginx in miniature: what it serves is what the list and `live/` showed at its last reload. */
export class TestTarget implements Target {
  readonly name: string;
  readonly sharesNames = true;
  reloads = 0;
  checks = 0;
  /** How often it was asked for both at once. */
  both = 0;
  /** Whether it has to do with a lineage. */
  wants: (lineage: string) => boolean = () => true;
  /** Whether its test refuses a version of a lineage. */
  refuses: (lineage: string, version: number) => boolean = () => false;
  /** Whether each of its handshakes with a version of a lineage ends in an alert, though its test passes. */
  breaks: (lineage: string, version: number) => boolean = () => false;
  /** Called before its configuration test and its reload; what it throws is their result. */
  before: (doing: "check" | "apply") => Promise<void> | void = () => undefined;
  /** Whether a TLS check finds nothing of what it serves: it is starting, or workers of before answer. */
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

  async tlsCheck({ identifiers, fingerprint }: ServedCertificate, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const served = identifiers.flatMap(({ value }) => this.#serves.get(value) ?? []);
    if (served.length === identifiers.length && served.every(({ lineage, version }) => this.breaks(lineage, version)))
      return { kind: "not-served", message: "no cipher for it", remedy: "Look.", isBroken: true } as const;
    const other = identifiers.find(({ value }) => this.#serves.get(value)?.fingerprint !== fingerprint);
    if (!this.hides() && !other) return { kind: "served" } as const;
    const name = other?.value ?? "all its names";
    return { kind: "not-served", message: `another one for ${name}`, remedy: "Look." } as const;
  }

  async check(signal?: AbortSignal, onTrial: readonly string[] = []): Promise<void> {
    this.checks += 1;
    await this.before("check");
    signal?.throwIfAborted();
    for (const { lineage, version } of this.#readOrRefuse().values()) {
      // As with nginx's step, which has a placeholder for what is not on trial.
      if (this.refuses(lineage, version) && onTrial.includes(lineage))
        throw new ConfigurationRejectedError(this.name, `emerg: ${lineage}`);
    }
  }

  checkAndApply: NonNullable<Target["checkAndApply"]> = async (behind, signal, whole) => {
    this.both += 1;
    await this.check(
      signal,
      behind.map(({ lineage }) => lineage),
    );
    const apply: Target["apply"] = this.apply.bind(this);
    return apply(behind, signal, whole);
  };

  #readOrRefuse(): Configuration {
    try {
      return this.#read();
    } catch (thrown) {
      throw new ConfigurationRejectedError(this.name, String(thrown));
    }
  }

  async apply(behind: readonly ServedCertificate[], signal?: AbortSignal) {
    await this.before("apply");
    signal?.throwIfAborted();
    if (behind.length > 0) {
      this.reloads += 1;
      this.restart();
    }
    return new Map();
  }

  /** It takes what is there, as at its start; `root`: where another folder was mounted for that. */
  restart(root = this.#root): void {
    const taken = [...this.#read(root)].filter(([, { lineage, version }]) => !this.refuses(lineage, version));
    this.#serves = new Map(taken);
  }

  // At once, so that the clock of a test that jumps knows when nothing else goes on.
  #read(root = this.#root): Configuration {
    const list = join(root, "sidecar", "certificates");
    const serves = new Map<string, { lineage: string; fingerprint: string; version: number }>();
    for (const line of existsSync(list) ? readFileSync(list, "utf8").split("\n").filter(Boolean) : []) {
      const [lineage = "", , , ...names] = line.split(" ");
      const live = join(root, "live", lineage);
      if (!existsSync(join(live, "fullchain.pem"))) continue;
      const version = Number(/(\d+)\.pem$/.exec(readlinkSync(join(live, "cert.pem")))?.[1]);
      const { fingerprint256: fingerprint } = new X509Certificate(readFileSync(join(live, "fullchain.pem")));
      for (const name of names) if (!serves.has(name)) serves.set(name, { lineage, fingerprint, version });
    }
    return serves;
  }
}
