import type { KeyType } from "../certificate/index.ts";
import { ValueProblem, type MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import { oneOf, parseKeyType } from "./parse-values.ts";

const CURVES = { secp256r1: "ecdsa-p256", secp384r1: "ecdsa-p384" } as const;
const RSA_SIZES = ["2048", "3072", "4096"] as const;

/**
 * Joins certbot's three key options with `CERTBOT_KEY_TYPE`; undefined where nothing was said. As in certbot, a family without
 * a size means RSA of 2048 bits or the curve secp256r1, unless the setting already names one of that family.
 */
export function chooseKeyType(
  setting: KeyType | undefined,
  options: ParsedOptions,
  mistakes: MistakeList,
): KeyType | undefined {
  const read = <T>(name: "--key-type" | "--rsa-key-size" | "--elliptic-curve", parse: (text: string) => T) =>
    mistakes.attempt<T | undefined>(`CERTBOT_OPTIONS ${name}`, optionValue(options, name), parse, undefined);
  const typed = read("--key-type", oneOf(["ecdsa", "rsa"]));
  const family = typed ?? (setting?.startsWith("rsa-") ? "rsa" : "ecdsa");
  const size = read("--rsa-key-size", (text) => parseSize(text, family));
  const curve = read("--elliptic-curve", (text) => parseCurve(text, family));
  const ofFamily = setting?.startsWith(family) ? setting : undefined;
  const chosen = (family === "rsa" ? size : curve) ?? ofFamily;
  return chosen ?? (typed && (family === "rsa" ? "rsa-2048" : "ecdsa-p256"));
}

/** What the options say of keeping the key at renewals; undefined where they say nothing. */
export function chooseKeyReuse(options: ParsedOptions, mistakes: MistakeList): boolean | undefined {
  const isReuse = options.has("--reuse-key");
  if (!options.has("--no-reuse-key")) return isReuse || undefined;
  const problem = "contradicts --reuse-key; take one of the two out";
  if (isReuse) mistakes.add({ setting: "CERTBOT_OPTIONS --no-reuse-key", problem });
  return false;
}

// certbot ignores a size or a curve of the other family; whoever typed it meant something by it.
function parseSize(text: string, family: "ecdsa" | "rsa"): KeyType {
  if (family !== "rsa") throw new ValueProblem("acts only with --key-type rsa; add that");
  return parseKeyType(`rsa-${oneOf(RSA_SIZES)(text)}`);
}

function parseCurve(text: string, family: "ecdsa" | "rsa"): KeyType {
  if (family !== "ecdsa") throw new ValueProblem("acts only with --key-type ecdsa; add that");
  return CURVES[oneOf(["secp256r1", "secp384r1"])(text)];
}
