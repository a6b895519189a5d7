import type { Clock, HttpReply } from "../ports/index.ts";
import type { Transport } from "./transport.ts";

/** A transport that reads the CA's clock in passing. */
export type ClockWatch = {
  readonly transport: Transport;
  /** How far the clock of the CA that answered last is ahead of ours, in milliseconds; undefined before the first answer. */
  aheadMs(): number | undefined;
};

// RFC 9110 §5.6.7: senders use this form alone. Date.parse would find a date in nearly anything.
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Watches the Date headers of what `transport` carries. They count whole seconds, so the result is exact to about one. */
export function watchCaClock(transport: Transport, clock: Clock): ClockWatch {
  let aheadMs: number | undefined;
  return {
    aheadMs: () => aheadMs,
    transport: async (request) => {
      const sentAt = clock.now().getTime();
      const reply = await transport(request);
      const receivedAt = clock.now().getTime();
      const caNow = dateOf(reply);
      // A clock that was set back meanwhile measures nothing.
      if (caNow !== undefined && receivedAt >= sentAt) aheadMs = caNow - (sentAt + receivedAt) / 2;
      return reply;
    },
  };
}

function dateOf({ headers }: HttpReply): number | undefined {
  const date = headers["date"] ?? "";
  // A cache on the way gives the time at which it took the reply in (RFC 9111 §5.1).
  if (headers["age"] !== undefined || !HTTP_DATE.test(date)) return undefined;
  const at = Date.parse(date);
  return Number.isNaN(at) ? undefined : at;
}
