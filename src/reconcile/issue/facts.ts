import type { RenewalInfoState } from "../../certificate/index.ts";
import type { LineageVersion } from "../lineage-store.ts";
import type { Policy, RunRequest } from "../policy.ts";
import type { StorageFinding } from "../storage.ts";
import type { Attempts } from "../tries.ts";
import type { CaLedger } from "./ca/ledger.ts";
import type { DesiredCertificate } from "./desired.ts";

/** Why a new version is wanted. */
export type IssueReason =
  "missing" | "names-changed" | "staging-replaced" | "lifetime-left" | "renewal-info" | "forced" | "put-back";

/** What a decision on one certificate looks at. */
export type IssueFacts = {
  readonly desired: DesiredCertificate;
  readonly attempts: Attempts;
  readonly renewalInfo?: RenewalInfoState | undefined;
  /** What is remembered of a CA. */
  readonly ledgerOf: (directoryUrl: string) => CaLedger;
  /** The directory of the CA where an order was not seen through: its certificate is counted already. */
  readonly paidAt?: string | undefined;
  /** The newest version in the archive, where a target has refused it and the one before is shown. */
  readonly putBack?: LineageVersion | undefined;
  readonly storage: StorageFinding;
  readonly policy: Pick<
    Policy,
    "directoryUrl" | "fallbackDirectoryUrl" | "isPublicCa" | "isStaging" | "isRehearsalOnly" | "settingsDigest"
  >;
  readonly request: RunRequest;
  readonly now: Date;
  /** What probes have just found: the directories of CAs that answer; and when the next ones are to be. */
  readonly probe?: { readonly answering: readonly string[]; readonly nextAt: Date } | undefined;
};
