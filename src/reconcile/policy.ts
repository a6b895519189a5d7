import type { Identifier, OperatorError, OrderSettings, OrderWish, WantedCertificate } from "../certificate/index.ts";
import type { ExternalAccount } from "./issue/certificate-authority.ts";

/** What the operator's settings ask for, in the words of reconcile. */
export type Policy = OrderWish & {
  readonly wanted: readonly WantedCertificate[];
  /** ACME directory that is tried when the first one has been failing; undefined: none. */
  readonly fallbackDirectoryUrl?: string | undefined;
  readonly email?: string | undefined;
  readonly externalAccount?: ExternalAccount | undefined;
  readonly fallbackExternalAccount?: ExternalAccount | undefined;
  /** Whether a directory's certificates are for tests only: they are replaced at once by real ones, and never replace them. */
  readonly isStaging: (directoryUrl: string) => boolean;
  /** Whether a directory is a public CA's, staging left out: one whose limits a sidecar without a memory would burn. */
  readonly isPublicCa: (directoryUrl: string) => boolean;
  /** Where to rehearse an order of this directory without spending its limits; undefined when the CA has no such place. */
  readonly stagingOf: (directoryUrl: string) => string | undefined;
  /** `--dry-run` stands in the settings: no order is placed by itself. */
  readonly isRehearsalOnly: boolean;
  /** What is wrong with the settings; the rest of this is what is right. */
  readonly settingsProblem?: OperatorError | undefined;
  /** The names of certificates that it has left out of `wanted`: no other certificate is to lose one of them meanwhile. */
  readonly leftOut?: readonly Identifier[] | undefined;
  /** It leaves in doubt how to order: what is on disk goes on by its conf, and nothing else is ordered. */
  readonly areOrdersInDoubt?: boolean | undefined;
  /** Changes whenever a setting changes that could make a failed order succeed. */
  readonly settingsDigest: string;
};

/** What made a run start, and what it may do. All but the trigger is for an explicit command. */
export type RunRequest = {
  readonly trigger: "start" | "schedule" | "timer" | "target-started" | "signal" | "command";
  /** Only this lineage, or the one of this certificate, which the settings need not name. */
  readonly only?: { readonly lineage: string } | { readonly wanted: WantedCertificate } | undefined;
  /** What is ordered otherwise than the settings say, in this run. */
  readonly order?: Partial<OrderSettings> | undefined;
  /** Order now, due or not. */
  readonly isForced: boolean;
  /** Rehearse the orders; change nothing. */
  readonly isRehearsal: boolean;
};

/** The request of a run that nobody asked for. */
export function automaticRun(trigger: Exclude<RunRequest["trigger"], "command">): RunRequest {
  return { trigger, isForced: false, isRehearsal: false };
}
