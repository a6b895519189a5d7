import type { Identifier } from "../certificate/index.ts";
import type { ChallengeSolver, IssueRequest, Log } from "../reconcile/index.ts";
import type { Connection } from "./connection.ts";
import type { Order } from "./objects.ts";
import type { OrderExtras } from "./order-extras.ts";
import type { Patience } from "./poll.ts";

/** One order and all that it needs on its way. */
export type OrderStory = {
  readonly request: IssueRequest;
  /** What of the request's wishes is asked for. */
  readonly extras: OrderExtras;
  /** Ends with the story's time. */
  readonly connection: Connection;
  /** A connection that outlives the story's signal and time: to tidy up after an abort, to fetch what has been signed. */
  readonly reconnect: (signal: AbortSignal) => Promise<Connection>;
  readonly solverFor: (identifier: Identifier) => ChallengeSolver;
  readonly patience: Patience;
  readonly log: Log;
};

/** An order at the CA, with its URL. */
export type PlacedOrder = Order & { readonly url: string };
