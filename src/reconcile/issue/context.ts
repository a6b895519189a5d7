import type { Log } from "../../ports/index.ts";
import type { DesiredCertificate } from "./desired.ts";
import type { OrderPlan } from "./order-plan.ts";

/** An order that may go out. */
export type IssueOrder = Extract<OrderPlan, { readonly kind: "issue" }>;

/** One certificate for which a new version is to be ordered. */
export type IssueContext = {
  readonly desired: DesiredCertificate;
  readonly order: IssueOrder;
  readonly log: Log;
  readonly signal: AbortSignal;
};
