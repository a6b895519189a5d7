import type { KeyChange } from "./account-store.ts";
import { MayNotActError } from "./errors.ts";
import type { ReconcileParts, Run } from "./run.ts";

/** What a change of keys needs of reconcile's parts. */
export type KeyChangeParts = Pick<ReconcileParts, "mayAct"> & {
  readonly ca: Pick<ReconcileParts["ca"], "changeAccountKey">;
  readonly store: Pick<ReconcileParts["store"], "list">;
  readonly policy: Pick<ReconcileParts["policy"], "directoryUrl" | "areOrdersInDoubt" | "settingsProblem">;
};

/**
 * Gives the account at the CA of the settings a new key: the account that the lineages there are renewed with, or the newest
 * where they name none or several. Not while reconcile runs. Throws OperatorError or the signal's reason.
 */
export async function changeAccountKey(
  { ca, store, policy, mayAct }: KeyChangeParts,
  { log, signal }: Pick<Run, "log" | "signal">,
): Promise<KeyChange> {
  const { directoryUrl, areOrdersInDoubt, settingsProblem } = policy;
  if (areOrdersInDoubt && settingsProblem) throw settingsProblem;
  const settings = (await store.list()).flatMap((lineage) => lineage.settings ?? []);
  const named = settings.flatMap((one) => (one.directoryUrl === directoryUrl ? (one.accountId ?? []) : []));
  const [accountId, ...others] = new Set(named);
  if (!(await mayAct())) throw new MayNotActError("the account's key was not changed");
  return ca.changeAccountKey({ directoryUrl, accountId: others.length === 0 ? accountId : undefined }, log, signal);
}
