import type { RenewalInfoAnswer } from "../../../certificate/index.ts";
import type { CertificateAuthority } from "../certificate-authority.ts";

// One certificate may be unknown to a CA that answers for all others.
const MOST_IN_VAIN = 3;

/** What one run asks CAs beside orders: a CA that doesn't answer for one certificate isn't asked for each of the others. */
export class CaProbes {
  readonly #ca: CertificateAuthority;
  readonly #signal: AbortSignal;
  readonly #answering = new Map<string, Promise<boolean>>();
  readonly #silent = new Map<string, RenewalInfoAnswer>();
  readonly #inVain = new Map<string, number>();
  readonly #vain = new Map<string, unknown>();

  constructor(ca: CertificateAuthority, signal: AbortSignal) {
    this.#ca = ca;
    this.#signal = signal;
  }

  /** Whether the CA answers; probed once a run. Throws only the signal's reason. */
  isAnswering(directoryUrl: string): Promise<boolean> {
    const known = this.#answering.get(directoryUrl) ?? this.#ca.isAnswering(directoryUrl, this.#signal);
    this.#answering.set(directoryUrl, known);
    return known;
  }

  /** Keeps other orders of the run from a CA at which they would fail as one has, by what was thrown. */
  noteVain(directoryUrl: string, thrown: unknown): void {
    this.#vain.set(directoryUrl, thrown);
  }

  /** What an order of this run was thrown that stands for all others at the CA; undefined when none was. */
  vain(directoryUrl: string): unknown {
    return this.#vain.get(directoryUrl);
  }

  /** What the CA says of a certificate; after an error that may pass, or three of any kind, the same for all others of the run. */
  async renewalInfo(directoryUrl: string, certificateId: string): Promise<RenewalInfoAnswer> {
    const silent = this.#silent.get(directoryUrl);
    if (silent) return silent;
    const answer = await this.#ca.renewalInfo(directoryUrl, certificateId, this.#signal);
    if (answer.kind === "window" || answer.kind === "unsupported") return answer;
    const inVain = (this.#inVain.get(directoryUrl) ?? 0) + 1;
    this.#inVain.set(directoryUrl, inVain);
    if (answer.kind === "temporary" || inVain >= MOST_IN_VAIN) this.#silent.set(directoryUrl, answer);
    return answer;
  }
}
