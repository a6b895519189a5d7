import {
  asOperatorError,
  exactSetKey,
  identifierKey,
  limitsOf,
  planBudget,
  pruneSpending,
  toFailure,
  type SpentOrder,
} from "../../../certificate/index.ts";
import { withPatience } from "./wait.ts";
import type { CaLedger } from "./ledger.ts";
import { BudgetExceededError } from "../../errors.ts";
import type { IssueContext } from "../context.ts";
import type { StepParts } from "../../run.ts";

/**
 * Says that the CSR is about to be sent: from now on the CA may have signed, so the certificate counts, unless the CA has taken
 * the order for a renewal that it suggested. Throws OperatorError when that can't be written.
 */
export type CountIssued = (order: { readonly isReplacement: boolean }) => Promise<void>;

/**
 * Writes an order into the CA's ledger before the CA hears of it, where we know the CA's limits. Orders that go out at the
 * same time are counted one after the other. Throws BudgetExceededError when it goes beyond a limit and may not, or
 * OperatorError of the disk.
 */
export async function spendOrder(parts: StepParts, { desired, order }: IssueContext): Promise<CountIssued> {
  const { directoryUrl, isExempt, overridden } = order;
  const limits = limitsOf(directoryUrl);
  if (!limits) return async () => undefined;
  const { identifiers, lineage } = desired;
  const now = parts.clock.now();
  const names = exactSetKey(identifiers);
  const entry: SpentOrder = { at: now.toISOString(), names, isExempt, isIssued: false };
  await parts.ledgers.update(directoryUrl, (ledger) => {
    const spending = pruneSpending(limits, ledger.spending, now);
    const budget = planBudget(limits, spending, { identifiers, isExempt }, now);
    if (budget.kind === "exceeded" && overridden === undefined) {
      throw new BudgetExceededError(lineage, directoryUrl, budget);
    }
    return { ...ledger, spending: { ...spending, orders: [...spending.orders, entry] } };
  });
  return ({ isReplacement }) =>
    parts.ledgers.update(directoryUrl, (ledger) => {
      const at = parts.clock.now().toISOString();
      return replaceOne(ledger, entry, { at, names, isExempt: isExempt && isReplacement, isIssued: true });
    });
}

function replaceOne(ledger: CaLedger, before: SpentOrder, after: SpentOrder): CaLedger {
  const { spending } = ledger;
  const index = spending.orders.findLastIndex(
    (one) => one.at === before.at && one.names === before.names && one.isIssued === before.isIssued,
  );
  const { orders } = spending;
  // A clock that jumps in the middle of an order may have made it old enough to be forgotten.
  return { ...ledger, spending: { ...spending, orders: index < 0 ? [...orders, after] : orders.with(index, after) } };
}

/** Writes into the CA's ledger what a failure means for later orders there. A disk that is full is told and no more. */
export async function recordRefusal(parts: StepParts, context: IssueContext, thrown: unknown): Promise<void> {
  const { desired, order, log } = context;
  const { retry, unverified } = asOperatorError(thrown);
  const { directoryUrl } = order;
  const limits = limitsOf(directoryUrl);
  const isCounted = limits !== undefined && unverified.length > 0;
  if (!isCounted && typeof retry !== "object") return;
  const now = parts.clock.now();
  const count = (ledger: CaLedger): CaLedger => {
    if (!isCounted) return ledger;
    const failed = unverified.map((identifier) => ({ at: now.toISOString(), name: identifierKey(identifier) }));
    const spending = pruneSpending(limits, ledger.spending, now);
    return { ...ledger, spending: { ...spending, failedValidations: [...spending.failedValidations, ...failed] } };
  };
  const { identifiers } = desired;
  const waiter = { identifiers, settingsDigest: parts.policy.settingsDigest };
  const wait = (ledger: CaLedger) => withPatience(ledger, waiter, { thrown, now });
  await parts.ledgers
    .update(directoryUrl, (ledger) => wait(count(ledger)))
    .catch((cause: unknown) => log.error("state.unsaved", { lineage: desired.lineage, ...toFailure(cause) }));
}
