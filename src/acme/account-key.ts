import { accountIdOf, PlainError } from "../certificate/index.ts";
import type { Account, AccountKey, ExternalAccount } from "../reconcile/index.ts";
import { newKey } from "./signing-request.ts";

/** Makes a key for an account: P-256, PKCS #8 in PEM. */
export async function newAccountKey(): Promise<AccountKey> {
  const privateKeyPem = (await newKey("ecdsa-p256")).export({ type: "pkcs8", format: "pem" }).toString();
  return { id: accountIdOf(privateKeyPem), privateKeyPem };
}

/** Says, with the new key, that it shall be the account's (RFC 8555 §7.3.5): a part of another request's payload. */
export async function signKeyChange(url: string, account: Account, newKeyPem: string): Promise<object> {
  const oldKey = (await signerOf(account.privateKeyPem)).getJwk();
  return (await signerOf(newKeyPem)).createSignedBody(url, { account: account.url, oldKey });
}

/** Binds an account's key to an account at the CA's website (RFC 8555 §7.3.4). Throws OperatorError. */
export async function signExternalAccount(
  url: string,
  privateKeyPem: string,
  { keyId, hmacKey }: ExternalAccount,
): Promise<object> {
  // CAs hand it out in base64url; some people's tools, and some CAs, turn it into plain base64.
  if (!/^(?:[A-Za-z0-9_-]+|[A-Za-z0-9+/]+)={0,2}$/.test(hmacKey)) {
    throw new PlainError({
      // `CERTBOT_EAB_HMAC_KEY` is no base64url text. Copy it as the CA shows it; it is never shown here.
      code: "ACME_EXTERNAL_ACCOUNT_KEY",
      message: "The HMAC key of the external account binding can't be used: it is not base64url text",
      remedy: "Copy the HMAC key into CERTBOT_EAB_HMAC_KEY as the CA shows it; then run update-cert.",
    });
  }
  const signer = await signerOf(privateKeyPem);
  return signer.createSignedHmacBody(hmacKey, url, signer.getJwk(), { kid: keyId });
}

/** What signs with an account's key. The library is loaded at first use: most runs of the daemon, and all that only looks, do without. */
export async function signerOf(privateKeyPem: string) {
  const { default: Signer } = await import("acme-client/src/http.js");
  return new Signer("", privateKeyPem);
}
