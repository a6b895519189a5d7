import { type Identifier, OperatorError } from "../certificate/index.ts";

/** The CA offers no challenge of the kind we can answer for a name. */
export class ChallengeNotOfferedError extends OperatorError {
  readonly code = "ACME_CHALLENGE_NOT_OFFERED";
  readonly remedy: string;

  constructor(identifier: Identifier, wanted: string, offered: readonly string[]) {
    super(`The CA offers no ${wanted} challenge for ${identifier.value}, only ${offered.join(", ") || "none at all"}`);
    this.remedy = `Choose a challenge in CERTBOT_CHALLENGE that the CA offers for ${identifier.value}, or leave the name out.`;
  }
}

/** The CA did not come to a decision in the time that one order has. */
export class OrderTimedOutError extends OperatorError {
  readonly code = "ACME_ORDER_TIMED_OUT";
  readonly remedy = "Leave the daemon running, it orders again by itself; look at the CA's status page if it lasts.";

  /** `what` is the thing that was still pending. */
  constructor(what: string, timeoutMs: number) {
    super(`The CA had not decided on ${what} after ${Math.round(timeoutMs / 1000)} s`);
  }
}

/** The CA gave up an order without saying why (RFC 8555 §7.1.6). */
export class OrderInvalidError extends OperatorError {
  readonly code = "ACME_ORDER_INVALID";
  readonly remedy = "Leave the daemon running, it places a new order by itself; ask whoever runs the CA if it lasts.";

  constructor(orderUrl: string) {
    super(`The CA made the order ${orderUrl} invalid and gave no reason`);
  }
}
