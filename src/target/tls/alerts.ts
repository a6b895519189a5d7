import type { ServedCertificate } from "../../reconcile/index.ts";
import type { ServerWords } from "../kind.ts";

/** A handshake that a server has ended by an alert (RFC 8446 §6). */
export type EndedHandshake = Parameters<NonNullable<ServerWords["explainFailure"]>>[1];

/** Kinds of key as people call them, by Node's words. */
export const KEY_KINDS: ReadonlyMap<string, "ECDSA" | "RSA"> = new Map([
  ["ec", "ECDSA"],
  ["rsa", "RSA"],
]);

/** Why a server ends a handshake with an alert, as far as the alert alone tells. */
export function explainAlertAlone(service: string, { keyKind = "" }: ServedCertificate, { words }: EndedHandshake) {
  if (/protocol.?version/i.test(words))
    return {
      because: ": it speaks no version of TLS that clients of today do",
      remedy: `Let ${service} speak TLS 1.2 and 1.3.`,
    };
  const kind = KEY_KINDS.get(keyKind);
  if (kind === undefined || !/handshake.?failure|insufficient.?security/i.test(words)) return undefined;
  const other = kind === "RSA" ? "ecdsa" : "rsa";
  return {
    because: `: most often none of its ciphers fits a key of the kind ${kind}`,
    remedy: `Let ${service} have ciphers for ${kind} keys or speak TLS 1.3, or set CERTBOT_KEY_TYPE to ${other}.`,
  };
}
