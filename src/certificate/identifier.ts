import { isIP } from "node:net";
import { domainToASCII } from "node:url";

/** What a certificate is asked for (RFC 8555 §7.1.3, §9.7.7; `ip` is RFC 8738). DNS values are lower-case A-labels. */
export type Identifier = { readonly type: "dns" | "ip"; readonly value: string };

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * Reads one name as an operator types it: a U-label or A-label domain, `*.domain`, or an IP address.
 * Throws an Error whose message says what is wrong with it, in words that follow `"<name>": `.
 */
export function parseIdentifier(text: string): Identifier {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0) return { type: "ip", value: canonicalIp(bare) };
  if (/^[a-z]+:\/\//i.test(text)) throw new Error("is a URL; write the name alone, like www.your-site.org");
  if (/[:/]/.test(text)) throw new Error("has a port or a path; write the name alone, like www.your-site.org");
  const isWildcard = text.startsWith("*.");
  const typed = (isWildcard ? text.slice(2) : text).replace(/\.$/, "");
  if (typed.includes("*")) throw new Error("has a * that is not its first label; only *.name is possible");
  const ascii = domainToASCII(typed).toLowerCase();
  const labels = ascii.split(".");
  if (ascii === "" || !labels.every((label) => LABEL.test(label))) throw new Error("is not a domain name");
  if (labels.length < 2) throw new Error("has no dot; a CA certifies only public names, like www.your-site.org");
  const value = isWildcard ? `*.${ascii}` : ascii;
  if (value.length > 253) throw new Error("is longer than the 253 characters a domain name can have");
  return { type: "dns", value };
}

/** Whether `identifier` asks for all names one label below a domain. */
export function isWildcard(identifier: Identifier): boolean {
  return identifier.type === "dns" && identifier.value.startsWith("*.");
}

/** One string for one identifier: for sets, keys and messages. */
export function identifierKey(identifier: Identifier): string {
  return identifier.value;
}

/** Whether two lists name the same set, in any order. */
export function sameIdentifiers(a: readonly Identifier[], b: readonly Identifier[]): boolean {
  const left = new Set(a.map(identifierKey));
  const right = new Set(b.map(identifierKey));
  return left.size === right.size && [...left].every((key) => right.has(key));
}

/** An IP address in its one short form (RFC 5952 for IPv6), so that equal addresses are equal strings. */
export function canonicalIp(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
