import { createHash } from "node:crypto";
import { isIP } from "node:net";
import {
  challengeFor,
  identifierKey,
  isWildcard,
  parseIdentifier,
  sameIdentifiers,
  type ChallengeUse,
  type Identifier,
  type WantedCertificate,
} from "../certificate/index.ts";
import type { MistakeList } from "./mistake.ts";
import { isPlaceholderDomain, parseLineageName } from "./parse-values.ts";
import type { Reading, TypedText } from "./reading.ts";

/** The certificates that are wanted, and where a name of theirs was typed. */
export type ChosenCertificates = {
  readonly wanted: readonly WantedCertificate[];
  /** All names that were typed and can be read, those of certificates with a mistake too. */
  readonly named: readonly Identifier[];
  readonly settingOf: (identifier: Identifier) => string;
};

// Let's Encrypt's limit for its default profile, and the largest of any public CA.
const MOST_NAMES = 100;

/**
 * Joins `CERTBOT_DOMAIN` with `-d` and `--ip-address`, whose names belong to the first certificate or are the only ones, and with
 * `--cert-name`.
 */
export function chooseCertificates(reading: Reading, challenges: readonly ChallengeUse[]): ChosenCertificates {
  const [first = [], ...others] = splitDomainList(reading.text("CERTBOT_DOMAIN") ?? "").map((names) =>
    names.map((text) => ({ text, setting: "CERTBOT_DOMAIN" })),
  );
  const added = splitLists(reading.options.get("--domain")).map((text) => ({ text, setting: "CERTBOT_OPTIONS -d" }));
  const addresses = reading.mistakes.aside(() => readAddresses(reading));
  const joined = [...first, ...added, ...addresses.found];
  const certificates = joined.length === 0 ? [] : [joined, ...others];
  const typed = certificates.flat().flatMap(({ text, setting }) => {
    const identifier = tryIdentifier(text);
    return typeof identifier === "string" ? [] : [{ identifier, setting }];
  });
  // Where a name was typed first, it is to be found.
  const settings = new Map(
    typed.map(({ identifier, setting }) => [identifierKey(identifier), setting] as const).toReversed(),
  );
  const firstName = reading.mistakes.aside(() => readCertName(certificates.length, reading));
  const isFirstRight = addresses.isRight && firstName.isRight;
  return {
    wanted: readWanted(certificates, reading.mistakes, { firstName: firstName.found, isFirstRight, challenges }),
    named: typed.map(({ identifier }) => identifier),
    settingOf: (identifier) => settings.get(identifierKey(identifier)) ?? "CERTBOT_DOMAIN",
  };
}

function readAddresses({ options, mistakes }: Reading): TypedText[] {
  const setting = "CERTBOT_OPTIONS --ip-address";
  return splitLists(options.get("--ip-address")).flatMap((text) => {
    if (isIP(text.replace(/^\[(.*)\]$/, "$1")) !== 0) return [{ text, setting }];
    mistakes.add({ setting, value: text, problem: "is no IP address" });
    return [];
  });
}

function splitLists(lists: readonly string[] = []): string[] {
  return lists.flatMap((list) => list.split(/[\s,]+/).filter((text) => text !== ""));
}

function readCertName(certificates: number, reading: Reading): string | undefined {
  const name = reading.readOption("--cert-name", parseLineageName);
  if (name !== undefined && certificates !== 1) {
    const problem = `names one certificate, and CERTBOT_DOMAIN asks for ${certificates}; take it out`;
    reading.mistakes.add({ setting: "CERTBOT_OPTIONS --cert-name", value: name, problem });
  }
  return name;
}

/**
 * Splits a list as typed in `CERTBOT_DOMAIN` into certificates: commas and blanks separate names, `;` and new lines
 * certificates. Empty entries are dropped. Never throws.
 */
export function splitDomainList(text: string): string[][] {
  return text
    .split(/[;\n]/)
    .map((certificate) => certificate.split(/[\s,]+/).filter((name) => name !== ""))
    .filter((names) => names.length > 0);
}

type Around = {
  readonly firstName?: string | undefined;
  /** Whether what belongs to the first certificate alone is right, too. */
  readonly isFirstRight?: boolean;
  readonly challenges?: readonly ChallengeUse[];
};

/**
 * Makes certificates of typed names, one list a certificate. Names that no order can be placed for, and certificates
 * that collide, go to `mistakes`; those certificates are left out, and hold up no other.
 */
export function readWanted(
  certificates: readonly (readonly TypedText[])[],
  mistakes: MistakeList,
  { firstName, isFirstRight = true, challenges = [] }: Around = {},
): WantedCertificate[] {
  const read = certificates.flatMap((names, index): WantedCertificate[] => {
    const { found, isRight } = mistakes.aside(() => readIdentifiers(names, mistakes, challenges));
    const [first] = found;
    // What is left of a certificate with a wrong name collides with others that the operator never asked for.
    if (first === undefined || !isRight || (index === 0 && !isFirstRight)) return [];
    return [{ name: (index === 0 ? firstName : undefined) ?? lineageName(first), identifiers: found }];
  });
  return mistakes.aside(() => withoutCollisions(read, mistakes)).found;
}

function readIdentifiers(
  names: readonly TypedText[],
  mistakes: MistakeList,
  challenges: readonly ChallengeUse[],
): Identifier[] {
  const identifiers = new Map<string, Identifier>();
  for (const { text, setting } of names) {
    const result = readIdentifier(text, challenges);
    if (typeof result === "string") mistakes.add({ setting, value: text, problem: result });
    else identifiers.set(identifierKey(result), result);
  }
  if (identifiers.size > MOST_NAMES) {
    const problem = `asks for ${identifiers.size} names in one certificate, and CAs sign ${MOST_NAMES} at most; start a further certificate with ;`;
    mistakes.add({ setting: "CERTBOT_DOMAIN", problem });
  }
  return [...identifiers.values()];
}

function readIdentifier(text: string, challenges: readonly ChallengeUse[]): Identifier | string {
  if (isPlaceholderDomain(text)) {
    return "is a placeholder; write the names that your users open, like CERTBOT_DOMAIN=www.your-site.org";
  }
  const identifier = tryIdentifier(text);
  if (typeof identifier === "string") return identifier;
  const isDns = challengeFor(challenges, identifier)?.type === "dns-01";
  if (isDns && identifier.type === "ip") return "is an IP address, which the DNS-01 challenge can't prove";
  if (isWildcard(identifier) && !isDns) {
    return "is a wildcard, which only the DNS-01 challenge can prove; that is not in this version yet, so write each name out";
  }
  return identifier;
}

// What a typed name means, or what is wrong with it, in words that follow the name.
function tryIdentifier(text: string): Identifier | string {
  try {
    return parseIdentifier(text);
  } catch (thrown) {
    if (thrown instanceof Error) return thrown.message;
    throw thrown;
  }
}

// As certbot names it: the lineage of *.your-site.org is your-site.org. Of an IPv6 address certbot makes a folder with colons,
// which not every disk and every reader of our list takes; and of a long name files that are too long for a disk.
function lineageName({ type, value }: Identifier): string {
  const name = type === "ip" ? value.replace(/^:/, "0:").replaceAll(":", "-") : value.replace(/^\*\./, "");
  if (name.length <= 200) return name;
  return `${name.slice(0, 180)}-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

// Of two with the same names one is enough; of two with one name nobody knows which is meant to have it.
function withoutCollisions(read: readonly WantedCertificate[], mistakes: MistakeList): WantedCertificate[] {
  const wanted: WantedCertificate[] = [];
  const contested = new Set<string>();
  for (const certificate of read) {
    const { name, identifiers } = certificate;
    const refuse = (problem: string) =>
      mistakes.add({ setting: "CERTBOT_DOMAIN", value: identifiers.map(identifierKey).join(","), problem });
    if (wanted.some((other) => sameIdentifiers(other.identifiers, identifiers))) {
      refuse("asks for the same certificate twice; take one out");
      continue;
    }
    if (wanted.some((other) => other.name === name)) {
      contested.add(name);
      refuse(
        `begins with ${name} as another certificate does, and the first name is the certificate's name; put other names first or join the two`,
      );
    }
    wanted.push(certificate);
  }
  return wanted.filter(({ name }) => !contested.has(name));
}
