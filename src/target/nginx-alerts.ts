import type { ServedCertificate } from "../reconcile/index.ts";
import type { Listening } from "./nginx-listeners.ts";
import { KEY_KINDS, type EndedHandshake } from "./tls/alerts.ts";

/** Why nginx ends a handshake with an alert, as far as its configuration tells: the protocols, the ciphers, or no server for the name. */
export function explainAlert(
  listening: Listening | undefined,
  { service, certificate }: { readonly service: string; readonly certificate: ServedCertificate },
  { identifier, listener, words }: EndedHandshake,
) {
  const [server] = listening?.serversFor(listener, identifier) ?? [];
  if (!server) return undefined;
  const { protocols, ciphers } = server;
  if (protocols && !protocols.some((one) => one === "TLSv1.2" || one === "TLSv1.3"))
    return {
      because: `: its ssl_protocols are ${protocols.join(" ")}, which clients of today refuse`,
      remedy: `Set ssl_protocols TLSv1.2 TLSv1.3 for the service ${service}.`,
    };
  const kind = KEY_KINDS.get(certificate.keyKind ?? "");
  // With TLS 1.3 ssl_ciphers say nothing of the key.
  if (kind && ciphers !== undefined && !protocols?.includes("TLSv1.3") && !hasCipherFor(kind, ciphers))
    return {
      because: `: the key is of the kind ${kind}, and its ssl_ciphers ${ciphers.slice(0, LONGEST)} have none for that`,
      remedy: `Put ciphers for ${kind} keys into ssl_ciphers of the service ${service} or take that line out, or let ssl_protocols have TLSv1.3.`,
    };
  if (/unrecognized.?name/i.test(words))
    return {
      because: ": no server there has this name, and ssl_reject_handshake is on for all others",
      remedy: `Give a server of ${service} the name ${identifier.value} and this certificate.`,
    };
  return undefined;
}

const LONGEST = 200;

/** Whether an OpenSSL cipher list (openssl-ciphers(1)) may have a cipher of TLS 1.2 for a key; true where it can't be told. Pure. */
export function hasCipherFor(kind: "ECDSA" | "RSA", list: string): boolean {
  const items = list.split(/[:, ]/).filter((item) => item !== "" && !item.startsWith("@"));
  if (items.some((item) => item === `!${kind}` || item === `!a${kind}`)) return false;
  return items.some((item) => !/^[!+-]/.test(item) && mayBeFor(kind, item));
}

// "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA" (of RSA, as all that name no key), "ECDHE+aECDSA", "HIGH".
function mayBeFor(kind: "ECDSA" | "RSA", item: string): boolean {
  if (/ECDSA/.test(item)) return kind === "ECDSA";
  if (/RSA/.test(item)) return kind === "RSA";
  return kind === "RSA" || !/^(AES|CAMELLIA|ARIA|DES|SEED|IDEA|RC4|NULL)[\w]*-/.test(item);
}
