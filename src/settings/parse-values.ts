import { isAbsolute, resolve } from "node:path/posix";
import { KEY_TYPES, type KeyType } from "../certificate/index.ts";
import { ValueProblem } from "./mistake.ts";

// Dify's .env.example; RFC 2606 §3: nobody has these, so no CA certifies them or a name under them.
const PLACEHOLDER = /(^|\.)(your_domain\.com|example\.(com|net|org))\.?$/i;

/** The placeholders of `CERTBOT_DOMAIN` are refused by this test: those of `.env.example` files and RFC 2606 §3. */
export function isPlaceholderDomain(text: string): boolean {
  return PLACEHOLDER.test(text);
}

/** A contact address, without `mailto:` (RFC 8555 §7.3). Throws {@link ValueProblem}. */
export function parseEmail(text: string): string {
  const allowed = "one address like admin@your-site.org, or nothing";
  const [, local, domain] = /^([^\s@,;<>"()]+)@([^\s@,;<>"()]+)$/.exec(text) ?? [];
  if (local === undefined || domain === undefined || /^mailto:/i.test(text)) {
    throw new ValueProblem("is no e-mail address", allowed);
  }
  if (isPlaceholderDomain(domain)) {
    throw new ValueProblem(
      "is a placeholder; write your own address, like CERTBOT_EMAIL=admin@your-site.org, or nothing",
    );
  }
  // Let's Encrypt answers invalidContact to anything else.
  if (/[^\x21-\x7e]/.test(text)) throw new ValueProblem("has letters that CAs don't take in an address", allowed);
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(domain)) throw new ValueProblem("has no domain name after its @", allowed);
  return text;
}

/** One of {@link KEY_TYPES}. Throws {@link ValueProblem}. */
export function parseKeyType(text: string): KeyType {
  const keyType = KEY_TYPES.find((one) => one === text);
  if (keyType === undefined) throw new ValueProblem("is no key type", KEY_TYPES.join(", "));
  return keyType;
}

/** An absolute path, `.`, `..` and doubled or trailing slashes taken out. Throws {@link ValueProblem}. */
export function parsePath(text: string): string {
  if (!isAbsolute(text)) throw new ValueProblem("is no absolute path", "a path in the container that begins with /");
  return resolve(text);
}

/** A parser that takes one of `choices`. The parser throws {@link ValueProblem}. */
export function oneOf<const T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text.toLowerCase());
    if (choice === undefined) throw new ValueProblem("is no choice here", choices.join(", "));
    return choice;
  };
}

/** A lineage's name that nginx's certificate step, too, takes for one. Throws {@link ValueProblem}. */
export function parseLineageName(text: string): string {
  if (/^[a-z0-9][a-z0-9.-]{0,199}$/.test(text)) return text;
  throw new ValueProblem("can't be a certificate's name", "at most 200 lower-case letters, digits, dots and hyphens");
}

/** The name of a lineage that may be there already, under whatever name certbot gave it. Throws {@link ValueProblem}. */
export function parseExistingLineageName(text: string): string {
  if (!/[/\p{Cc}]/u.test(text) && text !== "." && text !== "..") return text;
  throw new ValueProblem("can't be a certificate's name; the command `certificates` lists those there are");
}
