import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Identifier, KeyType } from "../certificate/index.ts";

const generate = promisify(generateKeyPair);

/** A certificate's new key, and the request that proves it (RFC 8555 §7.4, RFC 2986). */
export type SigningRequest = {
  readonly privateKeyPem: string;
  /** DER in base64url, as finalize wants it. */
  readonly csr: string;
};

/** Makes a fresh key of the given type and a request for all identifiers; the common name is left out, as CAs ask. */
export async function createSigningRequest(
  identifiers: readonly Identifier[],
  keyType: KeyType,
): Promise<SigningRequest> {
  const { createCsr } = await import("acme-client/src/crypto/index.js");
  const privateKeyPem = await newKey(keyType);
  const [, csrPem] = await createCsr({ altNames: identifiers.map(({ value }) => value) }, privateKeyPem);
  const base64 = csrPem.toString("ascii").replaceAll(/-----[^-]+-----|\s/g, "");
  return { privateKeyPem, csr: Buffer.from(base64, "base64").toString("base64url") };
}

async function newKey(keyType: KeyType): Promise<string> {
  const { privateKey } = isCurve(keyType)
    ? await generate("ec", { namedCurve: CURVES[keyType] })
    : await generate("rsa", { modulusLength: MODULUS_BITS[keyType] });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

const CURVES = { "ecdsa-p256": "P-256", "ecdsa-p384": "P-384" } as const;
const MODULUS_BITS = { "rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096 } as const;

function isCurve(keyType: KeyType): keyType is keyof typeof CURVES {
  return keyType in CURVES;
}
