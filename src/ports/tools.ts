import type { Clock } from "./clock.ts";
import type { TxtLookup } from "./dns.ts";
import type { HttpExchange } from "./http.ts";
import type { Log } from "./log.ts";
import type { OpenNotebook } from "./notebook.ts";
import type { RunLocal } from "./process.ts";

/** What any adapter may need of the world, made once: proxy, CA bundle and limits are inside. */
export type Tools = {
  readonly clock: Clock;
  readonly log: Log;
  /** A number in [0, 1), another one each time. */
  readonly random: () => number;
  /** Checks whom it speaks to, whatever is said of the CA. */
  readonly http: HttpExchange;
  readonly run: RunLocal;
  readonly txt: TxtLookup;
  readonly notebook: OpenNotebook;
};
