import { type FailureOrigin, type Identifier, OperatorError } from "../../certificate/index.ts";
import { oneLine } from "./problem.ts";

/** The CA offers no HTTP-01 challenge for a name, as for wildcards. */
export class ChallengeNotOfferedError extends OperatorError {
  readonly code = "ACME_CHALLENGE_NOT_OFFERED";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy: string;

  constructor(identifier: Identifier, wanted: string, offered: readonly string[]) {
    const choice = oneLine(offered.join(", ")) || "none at all";
    super(`The CA offers no ${wanted} challenge for ${identifier.value}, only ${choice}`);
    this.remedy = `Choose a challenge in CERTBOT_CHALLENGE that the CA offers for ${identifier.value}, or leave the name out.`;
  }
}

/** The CA did not decide in time. It is tried again by itself. */
export class OrderTimedOutError extends OperatorError {
  readonly code = "ACME_ORDER_TIMED_OUT";
  override readonly origin: FailureOrigin = "ca-failing";
  readonly remedy = "Leave the daemon running, it goes on by itself; look at the CA's status page if it lasts.";

  /** `what` is the thing that was still pending. */
  constructor(what: string, timeoutMs: number) {
    super(`The CA had not decided on ${what} after ${Math.round(timeoutMs / 1000)} s`);
  }
}

/** The CA gave up the order and did not say why (RFC 8555 §7.1.6). A new one is placed by itself. */
export class OrderInvalidError extends OperatorError {
  readonly code = "ACME_ORDER_INVALID";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy = "Leave the daemon running, it places a new order by itself; ask whoever runs the CA if it lasts.";

  constructor(orderUrl: string) {
    super(`The CA made the order ${orderUrl} invalid and gave no reason`);
  }
}

/** The CA doesn't offer the profile that is required; the message says which it does. Nothing was ordered. */
export class ProfileNotOfferedError extends OperatorError {
  readonly code = "ACME_PROFILE_NOT_OFFERED";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy: string;

  constructor(directoryUrl: string, wanted: string, offered: readonly string[]) {
    const names = oneLine(offered.join(", "));
    const choice = offered.length === 0 ? "it has none" : `it has ${names}`;
    super(`The CA ${directoryUrl} offers no certificate profile "${wanted}": ${choice}`);
    this.remedy =
      offered.length === 0
        ? "Leave CERTBOT_PROFILE and --required-profile out: this CA knows no profiles."
        : `Set CERTBOT_PROFILE to one of ${names}, or leave it out; then run update-cert.`;
  }
}

/** The key that `--reuse-key` keeps can't be used for a new certificate. Leave the option out once. */
export class KeyNotReusableError extends OperatorError {
  readonly code = "ACME_KEY_NOT_REUSABLE";
  readonly remedy = "Leave --reuse-key out of CERTBOT_OPTIONS, so that a new key is made; then run update-cert.";

  constructor(lineage: string, words: string, cause?: unknown) {
    super(`The key of ${lineage} can't be used for a new certificate: ${words}`, { cause });
  }
}
