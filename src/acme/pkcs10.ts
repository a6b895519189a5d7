import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Identifier } from "../certificate/index.ts";

// Tags (X.690 §8.1.2) of what a request is made of.
const TAG = { bitString: 0x03, octetString: 0x04, sequence: 0x30, set: 0x31, attributes: 0xa0, dns: 0x82, ip: 0x87 };

// What never changes, whole in DER.
const DER = {
  version: Buffer.from("020100", "hex"),
  // extensionRequest, 1.2.840.113549.1.9.14 (RFC 2985 §5.4.2).
  extensionRequest: Buffer.from("06092a864886f70d01090e", "hex"),
  // keyUsage, 2.5.29.15, and its digitalSignature and keyEncipherment (RFC 5280 §4.2.1.3).
  keyUsage: Buffer.from("0603551d0f", "hex"),
  usages: Buffer.from("030205a0", "hex"),
  // subjectAltName, 2.5.29.17.
  altName: Buffer.from("0603551d11", "hex"),
};

/** How a key signs: the digest, and the algorithm's identifier in DER (RFC 4055 §5, RFC 5758 §3.2). */
const SIGNATURES = {
  rsa: { digest: "sha256", algorithm: Buffer.from("300d06092a864886f70d01010b0500", "hex") },
  "P-256": { digest: "sha256", algorithm: Buffer.from("300a06082a8648ce3d040302", "hex") },
  "P-384": { digest: "sha384", algorithm: Buffer.from("300a06082a8648ce3d040303", "hex") },
  "P-521": { digest: "sha512", algorithm: Buffer.from("300a06082a8648ce3d040304", "hex") },
};

/** Makes a certificate request (RFC 2986) for all identifiers, without a subject; in DER. */
export function encodeRequest(identifiers: readonly Identifier[], key: KeyObject): Buffer {
  const names = identifiers.map(({ type, value }) =>
    type === "dns" ? element(TAG.dns, Buffer.from(value, "latin1")) : element(TAG.ip, addressBytes(value)),
  );
  const extensions = sequence(
    sequence(DER.keyUsage, element(TAG.octetString, DER.usages)),
    sequence(DER.altName, element(TAG.octetString, sequence(...names))),
  );
  const attributes = element(TAG.attributes, sequence(DER.extensionRequest, element(TAG.set, extensions)));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const info = sequence(DER.version, sequence(), publicKey, attributes);
  const { digest, algorithm } = SIGNATURES[signatureKind(key)];
  // The bits of a signature fill its bytes: none is unused.
  return sequence(info, algorithm, element(TAG.bitString, Buffer.of(0), sign(digest, info, key)));
}

function signatureKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): keyof typeof SIGNATURES {
  if (asymmetricKeyType === "rsa") return "rsa";
  const curve = asymmetricKeyDetails?.namedCurve;
  return curve === "secp384r1" ? "P-384" : curve === "secp521r1" ? "P-521" : "P-256";
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(TAG.sequence, ...parts);
}

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  // A length from 128 on is written in as many bytes as the lower bits say (X.690 §8.1.3.5).
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.of(tag, 0x80 + length.length), length, content]);
}

// An IPv6 address in its one short form, where no part is written as IPv4.
function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = [], tail = []] = address.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, "0")).join(""), "hex");
}
