import { type Identifier, PlainError } from "../../certificate/index.ts";
import { oneLine } from "./problem.ts";

/** Of an authorization without the challenge that was chosen for its name. */
export function challengeNotOffered({ value }: Identifier, wanted: string, offered: readonly string[]): PlainError {
  const choice = oneLine(offered.join(", ")) || "none at all";
  return new PlainError({
    code: "ACME_CHALLENGE_NOT_OFFERED", // The CA offers no HTTP-01 challenge for a name, as for wildcards.
    origin: "ca-refused",
    message: `The CA offers no ${wanted} challenge for ${value}, only ${choice}`,
    remedy: `Choose a challenge in CERTBOT_CHALLENGE that the CA offers for ${value}, or leave the name out.`,
  });
}

/** Of `what` was still pending when the order's time was up. */
export function orderTimedOut(what: string, timeoutMs: number): PlainError {
  return new PlainError({
    code: "ACME_ORDER_TIMED_OUT", // The CA did not decide in time. It is tried again by itself.
    origin: "ca-failing",
    message: `The CA had not decided on ${what} after ${Math.round(timeoutMs / 1000)} s`,
    remedy: "Leave the daemon running, it goes on by itself; look at the CA's status page if it lasts.",
  });
}

/** Of a required profile that is none of those on offer. */
export function profileNotOffered(directoryUrl: string, wanted: string, offered: readonly string[]): PlainError {
  const names = oneLine(offered.join(", "));
  const hasNone = offered.length === 0;
  return new PlainError({
    // The CA doesn't offer the profile that is required; the message says which it does. Nothing was ordered.
    code: "ACME_PROFILE_NOT_OFFERED",
    origin: "ca-refused",
    message: `The CA ${directoryUrl} offers no certificate profile "${wanted}": it has ${hasNone ? "none" : names}`,
    remedy: hasNone
      ? "Leave CERTBOT_PROFILE and --required-profile out: this CA knows no profiles."
      : `Set CERTBOT_PROFILE to one of ${names}, or leave it out; then run update-cert.`,
  });
}
