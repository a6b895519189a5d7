import { createPrivateKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type KeyType, PlainError, wordsOf } from "../certificate/index.ts";
import type { IssueRequest } from "../reconcile/index.ts";
import { encodeRequest } from "./pkcs10.ts";

const generate = promisify(generateKeyPair);

/** A certificate's key, and the request that proves it (RFC 8555 §7.4, RFC 2986). */
export type SigningRequest = {
  readonly privateKeyPem: string;
  /** DER in base64url, as finalize wants it. */
  readonly csr: string;
};

/**
 * Makes a request for all identifiers; the common name is left out, as CAs ask. `key` is used again where it is given, whatever
 * `keyType` says, else a new one of that type is made.
 */
export async function createSigningRequest(
  { identifiers, keyType }: Pick<IssueRequest, "identifiers" | "keyType">,
  key?: KeyObject,
): Promise<SigningRequest> {
  const own = key ?? (await newKey(keyType));
  const privateKeyPem = own.export({ type: "pkcs8", format: "pem" }).toString();
  return { privateKeyPem, csr: encodeRequest(identifiers, own).toString("base64url") };
}

/** Reads the key that a lineage uses again. Throws OperatorError; so it is done before an order is spent. */
export function readReusableKey({ lineage, privateKeyPem }: IssueRequest): KeyObject | undefined {
  if (privateKeyPem === undefined) return undefined;
  try {
    const key = createPrivateKey(privateKeyPem);
    const type = key.asymmetricKeyType;
    if (type === "ec" || type === "rsa") return key;
    throw new Error(`CAs sign no keys of the type ${type}`);
  } catch (cause) {
    throw new PlainError({
      // The key that `--reuse-key` keeps can't be used for a new certificate. Leave the option out once.
      code: "ACME_KEY_NOT_REUSABLE",
      message: `The key of ${lineage} can't be used for a new certificate: ${wordsOf(cause)}`,
      remedy: "Leave --reuse-key out of CERTBOT_OPTIONS, so that a new key is made; then run update-cert.",
      cause,
    });
  }
}

/** Makes a key of this type. */
export async function newKey(keyType: KeyType): Promise<KeyObject> {
  const { privateKey } = isCurve(keyType)
    ? await generate("ec", { namedCurve: CURVES[keyType] })
    : await generate("rsa", { modulusLength: MODULUS_BITS[keyType] });
  return privateKey;
}

const CURVES = { "ecdsa-p256": "P-256", "ecdsa-p384": "P-384" } as const;
const MODULUS_BITS = { "rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096 } as const;

function isCurve(keyType: KeyType): keyType is keyof typeof CURVES {
  return keyType in CURVES;
}
