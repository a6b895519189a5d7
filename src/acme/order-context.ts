import type { Identifier } from "../certificate/index.ts";
import type { ChallengeSolver, Log } from "../ports/index.ts";
import type { IssueRequest } from "../reconcile/index.ts";
import type { Connection } from "./connection.ts";
import type { OrderExtras } from "./order-extras.ts";
import type { Deadline } from "./poll.ts";

/** One order and all that it needs on its way. */
export type OrderContext = {
  readonly request: IssueRequest;
  /** What of the request's wishes is asked for. */
  readonly extras: OrderExtras;
  /** Ends with the order's time. */
  readonly connection: Connection;
  /** A connection that outlives the order's signal and time: to tidy up after an abort, to fetch what has been signed. */
  readonly reconnect: (signal: AbortSignal) => Promise<Connection>;
  readonly solverFor: (identifier: Identifier) => ChallengeSolver;
  readonly deadline: Deadline;
  readonly log: Log;
};
