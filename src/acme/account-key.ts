import { createHash, createHmac, createPublicKey, generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";
import type { Account, AccountKey, ExternalAccount } from "../reconcile/index.ts";
import { ExternalAccountKeyError } from "./failures/account-errors.ts";

const generate = promisify(generateKeyPair);

/** A JWS in the flattened form that ACME wants (RFC 8555 §6.2), here as a part of another one's payload. */
export type InnerJws = { readonly protected: string; readonly payload: string; readonly signature: string };

/** Makes a key for an account: P-256, PKCS #8 in PEM. */
export async function newAccountKey(): Promise<AccountKey> {
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { id: accountId(privateKeyPem), privateKeyPem };
}

/** certbot's name for an account: the MD5 of its public key as PEM (SubjectPublicKeyInfo), in hex. It guards nothing. */
export function accountId(privateKeyPem: string): string {
  const publicKeyPem = createPublicKey(privateKeyPem).export({ type: "spki", format: "pem" });
  return createHash("md5").update(publicKeyPem).digest("hex");
}

/** Says, with the new key, that it shall be the account's (RFC 8555 §7.3.5). `newKeyPem` is of {@link newAccountKey}'s kind. */
export function signKeyChange(url: string, account: Account, newKeyPem: string): InnerJws {
  const payload = { account: account.url, oldKey: publicJwk(account.privateKeyPem) };
  return innerJws({ alg: "ES256", jwk: publicJwk(newKeyPem), url }, payload, (text) =>
    sign("sha256", text, { key: newKeyPem, dsaEncoding: "ieee-p1363" }),
  );
}

/** Binds an account's key to an account at the CA's website (RFC 8555 §7.3.4). Throws ExternalAccountKeyError. */
export function signExternalAccount(url: string, privateKeyPem: string, external: ExternalAccount): InnerJws {
  const hmacKey = readHmacKey(external.hmacKey);
  return innerJws({ alg: "HS256", kid: external.keyId, url }, publicJwk(privateKeyPem), (text) =>
    createHmac("sha256", hmacKey).update(text).digest(),
  );
}

function innerJws(header: object, payload: object, signText: (text: Buffer) => Buffer): InnerJws {
  const [encodedHeader = "", encodedPayload = ""] = [header, payload].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const signature = signText(Buffer.from(`${encodedHeader}.${encodedPayload}`)).toString("base64url");
  return { protected: encodedHeader, payload: encodedPayload, signature };
}

function publicJwk(privateKeyPem: string): object {
  return createPublicKey(privateKeyPem).export({ format: "jwk" });
}

// CAs hand it out in base64url; some people's tools, and some CAs, turn it into plain base64.
function readHmacKey(text: string): Buffer {
  if (!/^(?:[A-Za-z0-9_-]+|[A-Za-z0-9+/]+)={0,2}$/.test(text)) throw new ExternalAccountKeyError();
  return Buffer.from(text, "base64");
}
