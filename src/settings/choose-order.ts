import type { ChallengeUse, KeyType, ProfileChoice } from "../certificate/index.ts";
import type { ChallengeKind, ChallengeKinds } from "../ports/index.ts";
import { ValueProblem } from "./mistake.ts";
import { oneOf, parseKeyType } from "./parse-values.ts";
import type { Reading } from "./reading.ts";

const CURVES = { secp256r1: "ecdsa-p256", secp384r1: "ecdsa-p384" } as const;

/**
 * Joins certbot's three key options with `CERTBOT_KEY_TYPE`; undefined where nothing was said. As in certbot, a family without
 * a size means RSA of 2048 bits or the curve secp256r1, unless the setting already names one of that family.
 */
export function chooseKeyType(reading: Reading): KeyType | undefined {
  const setting = reading.read("CERTBOT_KEY_TYPE", parseKeyType);
  const typed = reading.readOption("--key-type", oneOf(["ecdsa", "rsa"]));
  const family = typed ?? (setting?.startsWith("rsa-") ? "rsa" : "ecdsa");
  const size = reading.readOption("--rsa-key-size", (text) => {
    requireFamily(family, "rsa");
    return parseKeyType(`rsa-${oneOf(["2048", "3072", "4096"])(text)}`);
  });
  const curve = reading.readOption("--elliptic-curve", (text) => {
    requireFamily(family, "ecdsa");
    return CURVES[oneOf(["secp256r1", "secp384r1"])(text)];
  });
  const ofFamily = setting?.startsWith(family) ? setting : undefined;
  const chosen = (family === "rsa" ? size : curve) ?? ofFamily;
  return chosen ?? (typed && (family === "rsa" ? "rsa-2048" : "ecdsa-p256"));
}

// certbot ignores a size or a curve of the other family; whoever typed it meant something by it.
function requireFamily(family: string, needed: "ecdsa" | "rsa"): void {
  if (family !== needed) throw new ValueProblem(`acts only with --key-type ${needed}; add that`);
}

/** What the options say of keeping the key at renewals; undefined where they say nothing. */
export function chooseKeyReuse(reading: Reading): boolean | undefined {
  const isReuse = reading.options.has("--reuse-key");
  if (!reading.options.has("--no-reuse-key")) return isReuse || undefined;
  if (isReuse) reading.refuseOption("--no-reuse-key", "contradicts --reuse-key; take one of the two out");
  return false;
}

/**
 * Joins `CERTBOT_PROFILE` with certbot's two options. Two that differ are a mistake: the weaker one would act only where nobody
 * expects it.
 */
export function chooseProfile(reading: Reading): ProfileChoice | undefined {
  const setting = reading.read("CERTBOT_PROFILE", parseProfile);
  const required = reading.readOption("--required-profile", parseProfile);
  const preferred = reading.readOption("--preferred-profile", parseProfile);
  const refuse = (option: "--required-profile" | "--preferred-profile", other: string) =>
    reading.refuseOption(option, `contradicts ${other}; take one of the two out`);
  if (required !== undefined && preferred !== undefined) refuse("--preferred-profile", "--required-profile");
  if (setting !== undefined && (required ?? setting) !== setting) refuse("--required-profile", "CERTBOT_PROFILE");
  if (setting !== undefined && preferred !== undefined) refuse("--preferred-profile", "CERTBOT_PROFILE");
  const name = required ?? setting;
  if (name !== undefined) return { name, isRequired: true };
  return preferred === undefined ? undefined : { name: preferred, isRequired: false };
}

// CAs name theirs like this; a conf of certbot's holds them without quotes.
function parseProfile(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text)) return text;
  throw new ValueProblem("is no profile's name", "letters, digits, dots, hyphens and underscores, like shortlived");
}

/** An issuer's name, or a fingerprint, that a preferred chain is known by. */
export function choosePreferredChain(reading: Reading): string | undefined {
  return reading.readOption("--preferred-chain", (text) => {
    if (!/["'\p{Cc}]/u.test(text)) return text;
    throw new ValueProblem("has a quote or a control character, which certbot's files can't hold");
  });
}

/** How names are proven: by the kind that is named, else by the first. */
export function chooseChallenges(reading: Reading, kinds: ChallengeKinds): readonly ChallengeUse[] {
  const kind = reading.read("CERTBOT_CHALLENGE", (text) => parseChallenge(text, kinds)) ?? kinds[0];
  reading.readOption("--authenticator", (text) => {
    if (text === kind.authenticator) return;
    throw new ValueProblem("proves names in another way than CERTBOT_CHALLENGE", kind.authenticator);
  });
  reading.readOption("--preferred-challenges", (text) => {
    const versioned = text.split(",").map((one) => one.trim().replace(/^(http|dns)$/, "$1-01"));
    if (versioned.includes(kind.type)) return;
    throw new ValueProblem("is another challenge than CERTBOT_CHALLENGE has", kind.type);
  });
  return [{ names: "all", kind: kind.name, type: kind.type, settings: kind.read(reading) }];
}

function parseChallenge(text: string, kinds: ChallengeKinds): ChallengeKind<unknown> {
  const kind = kinds.find(({ name }) => name === text.toLowerCase());
  if (kind !== undefined) return kind;
  const isPlanned = /^(standalone|dns-01:.*|.*=.*)$/.test(text);
  const allowed = kinds.map(({ name }) => name).join(", ");
  throw new ValueProblem(isPlanned ? "is not in this version yet" : "is no challenge", allowed);
}
