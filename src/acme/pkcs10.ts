import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { isIPv6 } from "node:net";
import { der, type Identifier } from "../certificate/index.ts";

const { bits, element, integer, octets, oid, sequence, setOf, tagged } = der;

// Of a GeneralName (RFC 5280 §4.2.1.6).
const TAG = { dns: 0x82, ip: 0x87 };

const OID = {
  // 1.2.840.113549.1.9.14 (RFC 2985 §5.4.2).
  extensionRequest: oid("2a864886f70d01090e"),
  // 2.5.29.15 and 2.5.29.17.
  keyUsage: oid("551d0f"),
  altName: oid("551d11"),
};

// digitalSignature and keyEncipherment (RFC 5280 §4.2.1.3): two bits of eight, and five that aren't used.
const USAGES = element(0x03, Buffer.of(5, 0xa0));

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
    sequence(OID.keyUsage, octets(USAGES)),
    sequence(OID.altName, octets(sequence(...names))),
  );
  const attributes = tagged(sequence(OID.extensionRequest, setOf(extensions)));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const info = sequence(integer(0), sequence(), publicKey, attributes);
  const { digest, algorithm } = SIGNATURES[signatureKind(key)];
  return sequence(info, algorithm, bits(sign(digest, info, key)));
}

function signatureKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): keyof typeof SIGNATURES {
  if (asymmetricKeyType === "rsa") return "rsa";
  const curve = asymmetricKeyDetails?.namedCurve;
  return curve === "secp384r1" ? "P-384" : curve === "secp521r1" ? "P-521" : "P-256";
}

// An IPv6 address in its one short form, where no part is written as IPv4.
function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = [], tail = []] = address.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, "0")).join(""), "hex");
}
