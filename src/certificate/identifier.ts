import { isIP } from "node:net";
import { domainToASCII } from "node:url";

/** What a certificate is asked for (RFC 8555 §7.1.3, §9.7.7; `ip` is RFC 8738). DNS values are lower-case A-labels. */
export type Identifier = { readonly type: "dns" | "ip"; readonly value: string };

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * Reads one name as an operator types it: a domain in U-labels or A-labels, in any case and with any of Unicode's dots (UTS
 * #46), `*.domain`, or an IP address. Throws an Error whose message says what is wrong with it, in words that follow
 * `"<name>": `.
 */
export function parseIdentifier(text: string): Identifier {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0 && !bare.includes("%")) return { type: "ip", value: canonicalIp(bare) };
  if (/^[a-z]+:\/\//i.test(text)) throw new Error("is a URL; write the name alone, like www.your-site.org");
  if (/[:/]/.test(text)) throw new Error("has a port or a path; write the name alone, like www.your-site.org");
  const isWildcard = text.startsWith("*.");
  const typed = isWildcard ? text.slice(2) : text;
  if (typed.includes("*")) throw new Error("has a * that is not its first label; only *.name is possible");
  const value = (isWildcard ? "*." : "") + toALabels(typed);
  if (value.length > 253) throw new Error("is longer than the 253 characters a domain name can have");
  return { type: "dns", value };
}

function toALabels(typed: string): string {
  // domainToASCII reads a URL's host: it decodes %41, and ends at the first of the others.
  const ascii = /[%?#@\\\p{Cc}]/u.test(typed) ? "" : domainToASCII(typed).toLowerCase().replace(/\.$/, "");
  // It also makes an address of 1.2.3, 0x7f.1 and full-width digits.
  if (isIP(ascii) !== 0) throw new Error("is neither a domain name nor a whole IP address");
  const labels = ascii.split(".");
  if (ascii.includes("_"))
    throw new Error("has an underscore, which no CA takes: host names have letters, digits and -");
  if (!labels.every((label) => LABEL.test(label))) throw new Error("is not a domain name");
  if (labels.length < 2) throw new Error("has no dot; a CA certifies only public names, like www.your-site.org");
  return ascii;
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

/** The names of `all` that are not among the `known` ones. */
export function namesBeyond(all: readonly Identifier[], known: readonly Identifier[]): string[] {
  const keys = new Set(known.map(identifierKey));
  return all.map(identifierKey).filter((key) => !keys.has(key));
}

/** An IP address in its one short form (RFC 5952 for IPv6), so that equal addresses are equal strings. */
export function canonicalIp(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
