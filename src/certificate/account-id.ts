import { createHash, createPublicKey } from "node:crypto";

/** certbot's name for an account: the MD5 of its public key as PEM (SubjectPublicKeyInfo), in hex. It guards nothing. */
export function accountIdOf(privateKeyPem: string): string {
  const publicKeyPem = createPublicKey(privateKeyPem).export({ type: "spki", format: "pem" });
  return createHash("md5").update(publicKeyPem).digest("hex");
}
