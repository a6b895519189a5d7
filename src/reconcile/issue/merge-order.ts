import { DEFAULT_KEY_TYPE, sameIdentifiers, type OrderWish } from "../../certificate/index.ts";
import type { LineageSettings, LineageVersion } from "../lineage-store.ts";
import type { Policy, RunRequest } from "../policy.ts";

/** What a lineage is ordered with, and whether it stays with its real CA though one for tests is wished for. */
export type MergedOrder = { readonly settings: LineageSettings; readonly isKeptProduction: boolean };

type Wishes = OrderWish & Pick<Policy, "isStaging" | "fallbackDirectoryUrl">;

/**
 * Says which wish lasts (docs/decisions/0010): what the settings say, this run's command among them, beats the lineage's conf;
 * where they are silent the conf goes on, and else the defaults. Pure: this is the only place that joins them.
 */
export function mergeOrder(wish: Wishes, conf: LineageSettings | undefined): MergedOrder {
  const isKeptProduction = isProductionKept(conf, wish);
  const isOfSameCa = isKeptProduction || conf?.directoryUrl === wish.directoryUrl;
  // What the fallback CA has helped out with still belongs to the first one.
  const isHelpedOut = conf !== undefined && conf.directoryUrl === wish.fallbackDirectoryUrl;
  // Profiles and chains are a CA's own: another one may not have them.
  const ofCa = isOfSameCa || isHelpedOut ? conf : undefined;
  const settings: LineageSettings = {
    directoryUrl: conf && isKeptProduction ? conf.directoryUrl : wish.directoryUrl,
    keyType: wish.keyType ?? conf?.keyType ?? DEFAULT_KEY_TYPE,
    challenges: wish.challenges,
    profile: wish.profile ?? ofCa?.profile,
    preferredChain: wish.preferredChain ?? ofCa?.preferredChain,
    reuseKey: wish.reuseKey ?? conf?.reuseKey ?? false,
    autorenew: conf?.autorenew ?? true,
    renewBeforeMs: conf?.renewBeforeMs,
    accountId: isOfSameCa ? conf?.accountId : undefined,
  };
  return { settings, isKeptProduction };
}

/** What the settings ask for in one run, whose command speaks in their place; what it wants beside them comes after them. */
export function policyFor(policy: Policy, { order = {}, only }: RunRequest): Policy {
  const asked = only && "wanted" in only ? only.wanted : undefined;
  const isNamed = asked && policy.wanted.some((one) => sameIdentifiers(one.identifiers, asked.identifiers));
  const wanted = asked && !isNamed ? [...policy.wanted, asked] : policy.wanted;
  // Whoever names a CA means that one.
  const fallbackDirectoryUrl = order.directoryUrl === undefined ? policy.fallbackDirectoryUrl : undefined;
  return { ...policy, ...order, fallbackDirectoryUrl, wanted };
}

/** Whether a certificate that visitors trust is there where one for tests is wished for: it stays. */
export function isProductionKept(conf: LineageSettings | undefined, { directoryUrl, isStaging }: Wishes): boolean {
  return conf !== undefined && isStaging(directoryUrl) && !isStaging(conf.directoryUrl);
}

type Kept = { readonly current?: LineageVersion | undefined; readonly currentDirectoryUrl?: string | undefined };

/**
 * Whether a certificate is there that visitors trust. The issuer's word counts beside the conf's, which can be unreadable, or say
 * where the next one comes from.
 */
export function isReal({ current, currentDirectoryUrl }: Kept, isStaging: Policy["isStaging"]): boolean {
  if (current === undefined || current.leaf.isSelfSigned) return false;
  const isOfStaging = currentDirectoryUrl !== undefined && isStaging(currentDirectoryUrl);
  return !isOfStaging && !current.leaf.issuer.includes("(STAGING)");
}
