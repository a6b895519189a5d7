import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ConfigurationRejectedError,
  type Found,
  type ServedCertificate,
  type Target,
  type TargetSource,
} from "../../src/reconcile/index.ts";

/** A call of a target, before it does anything or when it has done it. */
export type TargetCall = "tlsCheck" | "check" | "checked" | "apply" | "applied";

/** A server in miniature: it serves what `live/` showed at its last reload. */
export class SimulatedTarget implements Target {
  readonly name = "nginx-1";
  reloads = 0;
  /** Why the server refuses a lineage's certificate in its configuration; undefined: it doesn't. */
  refusal: (lineage: string, certificate: X509Certificate) => string | undefined = () => undefined;
  readonly #root: string;
  readonly #served = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** This server as a process sees it; what `onCall` waits for is waited for. */
  seenBy(onCall: (call: TargetCall) => Promise<never> | undefined): TargetSource {
    const { name, wants } = this;
    const seen: Target = {
      name,
      wants,
      tlsCheck: async (...call) => {
        await onCall("tlsCheck");
        return this.tlsCheck(...call);
      },
      check: async (signal) => {
        await onCall("check");
        try {
          await this.check(signal);
        } finally {
          await onCall("checked");
        }
      },
      apply: async (behind, signal) => {
        await onCall("apply");
        const failures = await this.apply(behind, signal);
        await onCall("applied");
        return failures;
      },
    };
    return { find: async (): Promise<Found> => ({ targets: [seen], missing: [], off: [] }) };
  }

  async tlsCheck({ lineage, fingerprint }: ServedCertificate, signal: AbortSignal) {
    signal.throwIfAborted();
    if (this.#served.get(lineage) === fingerprint) return { kind: "served" } as const;
    return { kind: "not-served", message: "another one", remedy: "Look." } as const;
  }

  wants = () => true;

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      for (const [lineage, certificate] of this.#read()) {
        const refusal = this.refusal(lineage, certificate);
        if (refusal) throw new Error(refusal);
      }
    } catch (thrown) {
      throw new ConfigurationRejectedError(this.name, String(thrown));
    }
  }

  async apply(behind: readonly ServedCertificate[], signal: AbortSignal) {
    signal.throwIfAborted();
    if (behind.length > 0) {
      this.reloads += 1;
      for (const [lineage, { fingerprint256 }] of this.#read()) this.#served.set(lineage, fingerprint256);
    }
    return new Map();
  }

  /** The fingerprint of what it serves for a lineage. */
  servedOf(lineage: string): string | undefined {
    return this.#served.get(lineage);
  }

  #read(): [string, X509Certificate][] {
    const live = join(this.#root, "live");
    const lineages = existsSync(live) ? readdirSync(live).filter((name) => !name.startsWith(".")) : [];
    return lineages.flatMap((lineage): [string, X509Certificate][] => {
      const path = join(live, lineage, "fullchain.pem");
      return existsSync(path) ? [[lineage, new X509Certificate(readFileSync(path))]] : [];
    });
  }
}
