import type { ProfileChoice } from "../certificate/index.ts";
import type { IssueRequest } from "../reconcile/index.ts";
import type { Ca } from "./ca.ts";
import type { ConnectionOptions } from "./connection.ts";
import { profileNotOffered } from "./failures/order-errors.ts";
import { showDirectory } from "./repeat.ts";

/** What an order asks for beside its names, each by its field in newOrder. */
export type OrderExtras = {
  /** RFC 9773 §5. */
  readonly replaces?: string | undefined;
  /** draft-ietf-acme-profiles. */
  readonly profile?: string | undefined;
};

/**
 * Chooses of what is wished for what the CA's directory knows. Throws OperatorError, also for a required profile that it
 * doesn't offer, or the signal's reason. Nothing is signed by then, and nothing counts.
 */
export async function chooseExtras(ca: Ca, request: IssueRequest, options: ConnectionOptions): Promise<OrderExtras> {
  const { replaces, profile: choice, lineage } = request;
  if (replaces === undefined && choice === undefined) return {};
  const { renewalInfo } = await showDirectory(ca, options);
  const isOffered = choice === undefined || (await offers(ca, choice, options));
  if (!isOffered) options.log.warn("profile.not-offered", { lineage, profile: choice.name, ca: ca.directoryUrl });
  return {
    replaces: renewalInfo === undefined ? undefined : replaces,
    profile: isOffered ? choice?.name : undefined,
  };
}

async function offers(ca: Ca, { name, isRequired }: ProfileChoice, options: ConnectionOptions): Promise<boolean> {
  const known = await showDirectory(ca, options);
  if (known.profiles.includes(name)) return true;
  // The CA may have begun to offer it since its directory was asked for.
  ca.forgetDirectory();
  const { profiles } = await showDirectory(ca, options);
  if (profiles.includes(name)) return true;
  if (isRequired) throw profileNotOffered(ca.directoryUrl, name, profiles);
  return false;
}
