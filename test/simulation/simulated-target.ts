import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ConfigurationRejectedError,
  type Found,
  type ServedCertificate,
  type Target,
} from "../../src/reconcile/index.ts";

/** A server in miniature: it serves what `live/` showed at its last reload. */
export class SimulatedTarget implements Target {
  readonly name = "nginx-1";
  reloads = 0;
  readonly #root: string;
  readonly #served = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  find = async (): Promise<Found> => ({ targets: [this], missing: [], off: [] });

  async tlsCheck({ lineage, fingerprint }: ServedCertificate, signal: AbortSignal) {
    signal.throwIfAborted();
    if (this.#served.get(lineage) === fingerprint) return { kind: "served" } as const;
    return { kind: "not-served", message: "another one", remedy: "Look." } as const;
  }

  wants = () => true;

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      this.#read();
    } catch (thrown) {
      throw new ConfigurationRejectedError(this.name, String(thrown));
    }
  }

  async apply(behind: readonly ServedCertificate[], signal: AbortSignal) {
    signal.throwIfAborted();
    if (behind.length > 0) {
      this.reloads += 1;
      for (const [lineage, fingerprint] of this.#read()) this.#served.set(lineage, fingerprint);
    }
    return new Map();
  }

  /** The fingerprint of what it serves for a lineage. */
  servedOf(lineage: string): string | undefined {
    return this.#served.get(lineage);
  }

  #read(): [string, string][] {
    const live = join(this.#root, "live");
    const lineages = existsSync(live) ? readdirSync(live).filter((name) => !name.startsWith(".")) : [];
    return lineages.flatMap((lineage): [string, string][] => {
      const path = join(live, lineage, "fullchain.pem");
      return existsSync(path) ? [[lineage, new X509Certificate(readFileSync(path)).fingerprint256]] : [];
    });
  }
}
