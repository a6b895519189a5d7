import type { MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import type { RawSettings } from "./read-settings.ts";
import { Secret } from "./secret.ts";

/** Credentials that bind a new account to one at the CA's website (RFC 8555 §7.3.4); the key in base64url. */
export type ChosenExternalAccount = { readonly keyId: string; readonly hmacKey: Secret };

const KEY_SETTING = "CERTBOT_EAB_HMAC_KEY";

/** Joins the two settings with certbot's three options. Mistakes, which never show the key, go to `mistakes`. */
export function chooseExternalAccount(
  { texts, secrets }: RawSettings,
  options: ParsedOptions,
  mistakes: MistakeList,
): ChosenExternalAccount | undefined {
  checkAlgorithm(optionValue(options, "--eab-hmac-alg"), mistakes);
  const keyId = optionValue(options, "--eab-kid") ?? texts.get("CERTBOT_EAB_KID");
  const fromOption = optionValue(options, "--eab-hmac-key");
  const typedKey = fromOption ?? secrets.get(KEY_SETTING)?.reveal();
  if (keyId !== undefined && /[^\x21-\x7e]/.test(keyId))
    mistakes.add({
      setting: "CERTBOT_EAB_KID",
      value: keyId,
      problem: "has a blank or a letter that no key identifier has",
    });
  // A file that can't be read is a mistake of its own.
  const isKeyMissed = mistakes.all.some(({ setting }) => setting.startsWith(KEY_SETTING));
  if ((keyId === undefined) !== (typedKey === undefined) && !isKeyMissed) {
    const [there, missing] = keyId === undefined ? [KEY_SETTING, "CERTBOT_EAB_KID"] : ["CERTBOT_EAB_KID", KEY_SETTING];
    mistakes.add({ setting: there, problem: `needs ${missing} beside it; the CA's website gives both` });
  }
  if (keyId === undefined || typedKey === undefined) return undefined;
  const setting = fromOption === undefined ? KEY_SETTING : "CERTBOT_OPTIONS --eab-hmac-key";
  return { keyId, hmacKey: new Secret(readKey(typedKey, setting, mistakes)) };
}

// Some CAs' websites show plain base64, which differs in two letters and its end.
function readKey(text: string, setting: string, mistakes: MistakeList): string {
  const key = text
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/={0,2}$/, "");
  if (!/^[A-Za-z0-9_-]+$/.test(key) || key.length % 4 === 1) {
    mistakes.add({ setting, problem: "is no base64url text; copy the HMAC key whole from the CA's website" });
  }
  return key;
}

function checkAlgorithm(text: string | undefined, mistakes: MistakeList): void {
  if (text === undefined || text.toUpperCase() === "HS256") return;
  const problem = "is not in this version";
  mistakes.add({ setting: "CERTBOT_OPTIONS --eab-hmac-alg", value: text, problem, allowed: "HS256" });
}
