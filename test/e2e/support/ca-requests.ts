import type { Stack } from "./stack.ts";

/** Requests that reached the demo CA. */
export type CaRequests = {
  /**
   * Without the repeats of a poll that was answered pending (how many there are is the CA's doing), and without the question
   * when to renew, which is asked by the clock and not by an order.
   */
  readonly total: number;
  readonly heads: number;
  readonly directories: number;
};

/**
 * Counts what the demo CA is asked while `act` runs, by its log. One order of one name at a time: the log doesn't say whose
 * a poll is.
 */
export async function countCaRequests(stack: Stack, act: () => Promise<void>): Promise<CaRequests> {
  const before = (await stack.logs("pebble")).length;
  await act();
  const lines = (await stack.logs("pebble")).slice(before).split("\n");
  const all = lines.filter((line) => line.includes(" -> calling handler"));
  const requests = all.filter((line) => !/ GET \S*renewalInfo/.test(line));
  const repeats =
    pollsAnsweredPending(lines, { poll: "POST /authZ/ ", decided: "set VALID by completed challenge", first: 1 }) +
    pollsAnsweredPending(lines, { poll: "POST /my-order/ ", decided: "Issued certificate serial", first: 0 });
  return {
    total: requests.length - repeats,
    heads: requests.filter((line) => line.includes(" HEAD ")).length,
    directories: requests.filter((line) => line.includes(" GET /dir ")).length,
  };
}

type Poll = { readonly poll: string; readonly decided: string; readonly first: number };

// Each is followed by one repeat. `first`: requests of the same kind that are no poll yet, like the look at the challenges.
function pollsAnsweredPending(lines: readonly string[], { poll, decided, first }: Poll): number {
  const decidedAt = lines.findIndex((line) => line.includes(decided));
  const early = lines.slice(0, Math.max(0, decidedAt)).filter((line) => line.includes(poll));
  return Math.max(0, early.length - first);
}
