import type { ChosenServers } from "./choose-ca.ts";
import type { ChosenExternalAccount, Config } from "./config.ts";
import { ValueProblem } from "./mistake.ts";
import type { Reading } from "./reading.ts";
import { Secret } from "./secret.ts";
import { isLetsEncrypt } from "./servers.ts";

type ExternalAccounts = Pick<Config, "externalAccount" | "fallbackExternalAccount">;

const FALLBACK_PREFIX = "CERTBOT_FALLBACK_EAB";

/** The accounts at the CAs' websites, for each CA its own. Mistakes never show a key. */
export function chooseExternalAccounts(reading: Reading, { directoryUrl, fallbackDirectoryUrl }: ChosenServers) {
  reading.readOption("--eab-hmac-alg", parseAlgorithm);
  const externalAccount = readAccount(reading, "CERTBOT_EAB");
  // It may never be needed, and holds up nothing.
  const own = reading.mistakes.aside(() => readFallbackAccount(reading)).found;
  // Whoever mistypes one, or names a file that can't be read, means none of another CA's.
  const isRight = !reading.mistakes.all.some(({ setting }) => setting.startsWith(FALLBACK_PREFIX));
  // Let's Encrypt wants none: what is set can only be meant for the other.
  const meant = own ?? (isLetsEncrypt(directoryUrl) ? externalAccount : undefined);
  const fallbackExternalAccount = isRight && fallbackDirectoryUrl !== undefined ? meant : undefined;
  return { externalAccount, fallbackExternalAccount } satisfies ExternalAccounts;
}

function readFallbackAccount(reading: Reading): ChosenExternalAccount | undefined {
  const account = readAccount(reading, FALLBACK_PREFIX);
  if (account === undefined || reading.text("CERTBOT_FALLBACK_SERVER") !== undefined) return account;
  const problem = "needs CERTBOT_FALLBACK_SERVER beside it, the CA that it is for";
  reading.mistakes.add({ setting: "CERTBOT_FALLBACK_EAB_KID", problem });
  return undefined;
}

function readAccount(reading: Reading, prefix: string): ChosenExternalAccount | undefined {
  const { mistakes } = reading;
  const [idSetting, keySetting] = [`${prefix}_KID`, `${prefix}_HMAC_KEY`];
  const keyId = reading.text(idSetting);
  const key = reading.last(keySetting);
  const isIdWrong = keyId !== undefined && /[^\x21-\x7e]/.test(keyId);
  if (isIdWrong) {
    mistakes.add({ setting: idSetting, value: keyId, problem: "has a blank or a letter that no key identifier has" });
  }
  // A file that can't be read is a mistake of its own.
  const isKeyMissed = mistakes.all.some(({ setting }) => setting.startsWith(keySetting));
  if ((keyId === undefined) !== (key === undefined) && !isKeyMissed) {
    const [there, missing] = keyId === undefined ? [keySetting, idSetting] : [idSetting, keySetting];
    mistakes.add({ setting: there, problem: `needs ${missing} beside it; the CA's website gives both` });
  }
  if (keyId === undefined || key === undefined) return undefined;
  // Some CAs' websites show plain base64, which differs in two letters and its end.
  const hmacKey = key.text
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/={0,2}$/, "");
  const isKeyWrong = !/^[A-Za-z0-9_-]+$/.test(hmacKey) || hmacKey.length % 4 === 1;
  if (isKeyWrong) {
    const problem = "is no base64url text; copy the HMAC key whole from the CA's website";
    mistakes.add({ setting: key.setting, problem });
  }
  return isIdWrong || isKeyWrong ? undefined : { keyId, hmacKey: new Secret(hmacKey) };
}

function parseAlgorithm(text: string): void {
  if (text.toUpperCase() !== "HS256") throw new ValueProblem("is not in this version", "HS256");
}
