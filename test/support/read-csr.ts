import { createPublicKey, verify, type KeyObject } from "node:crypto";

/** What a CA takes from a certificate signing request (RFC 2986). */
export type SigningRequest = { readonly key: KeyObject; readonly names: readonly string[] };

const SUBJECT_ALTERNATIVE_NAME = Buffer.from("0603551d11", "hex");

/** Reads a request in DER and checks its signature (ECDSA with SHA-256). Throws an Error when it is not right. */
export function readSigningRequest(request: Buffer): SigningRequest {
  const [info, , signature] = children(request, 0);
  if (!info || !signature) throw new Error("the CSR is no CSR");
  const [, , spki] = children(info.whole, 0);
  if (!spki) throw new Error("the CSR has no key");
  const key = createPublicKey({ key: spki.whole, format: "der", type: "spki" });
  // A BIT STRING begins with the number of unused bits.
  if (!verify("sha256", info.whole, key, signature.content.subarray(1))) throw new Error("the CSR isn't signed");
  return { key, names: readNames(info.whole) };
}

function readNames(info: Buffer): string[] {
  const at = info.indexOf(SUBJECT_ALTERNATIVE_NAME);
  if (at < 0) throw new Error("the CSR has no names");
  const octets = elementAt(info, at + SUBJECT_ALTERNATIVE_NAME.length);
  return children(octets.content, 0).map(({ content }) => content.toString("latin1"));
}

type Element = { readonly content: Buffer; readonly whole: Buffer };

function children(der: Buffer, at: number): Element[] {
  const { content } = elementAt(der, at);
  const found: Element[] = [];
  for (let next = 0; next < content.length;) {
    const element = elementAt(content, next);
    found.push(element);
    next += element.whole.length;
  }
  return found;
}

function elementAt(der: Buffer, at: number): Element {
  const first = der[at + 1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  return { content: der.subarray(start, start + length), whole: der.subarray(at, start + length) };
}
