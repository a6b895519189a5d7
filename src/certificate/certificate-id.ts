import type { X509Certificate } from "node:crypto";

// Tags (X.690 §8.1.2) of what is wanted of a certificate (RFC 5280 §4.1).
const TAG = { integer: 0x02, octetString: 0x04, keyIdentifier: 0x80, extensions: 0xa3 } as const;

// id-ce-authorityKeyIdentifier, 2.5.29.35 (RFC 5280 §4.2.1.1).
const AUTHORITY_KEY_ID = Buffer.from("551d23", "hex");

type Element = { readonly tag: number; readonly content: Buffer; readonly after: Buffer };

/**
 * The unique identifier of RFC 9773 §4.1: base64url of the authority key identifier, a dot, base64url of the serial number's
 * DER content. Undefined for a certificate that names no authority key.
 */
export function certificateIdOf(certificate: X509Certificate): string | undefined {
  const [whole] = elementsOf(certificate.raw);
  const [signed] = elementsOf(whole?.content);
  const fields = elementsOf(signed?.content);
  const serial = contentOf(fields, TAG.integer);
  const keyId = readAuthorityKeyId(contentOf(fields, TAG.extensions));
  if (!serial?.length || !keyId?.length) return undefined;
  return `${keyId.toString("base64url")}.${serial.toString("base64url")}`;
}

function readAuthorityKeyId(extensions: Buffer | undefined): Buffer | undefined {
  const [list] = elementsOf(extensions);
  const each = elementsOf(list?.content).map(({ content }) => elementsOf(content));
  const found = each.find(([id]) => id?.content.equals(AUTHORITY_KEY_ID));
  // Found by tag: one that is marked critical has a BOOLEAN before its value.
  const [value] = elementsOf(found && contentOf(found, TAG.octetString));
  return contentOf(elementsOf(value?.content), TAG.keyIdentifier);
}

function contentOf(elements: readonly Element[], wanted: number): Buffer | undefined {
  return elements.find(({ tag }) => tag === wanted)?.content;
}

/** The elements that stand one after another in `der`, up to the first that isn't whole. */
function elementsOf(der: Buffer = Buffer.alloc(0)): Element[] {
  const elements: Element[] = [];
  for (let next = readElement(der); next; next = readElement(next.after)) elements.push(next);
  return elements;
}

function readElement(der: Buffer): Element | undefined {
  const [tag, first] = der;
  if (tag === undefined || first === undefined) return undefined;
  // A length from 128 on is written in as many bytes as the lower bits say (X.690 §8.1.3.5).
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  const start = 2 + lengthBytes;
  if (first === 0x80 || lengthBytes > 4 || der.length < start) return undefined;
  const end = start + (lengthBytes === 0 ? first : der.readUIntBE(2, lengthBytes));
  return end > der.length ? undefined : { tag, content: der.subarray(start, end), after: der.subarray(end) };
}
