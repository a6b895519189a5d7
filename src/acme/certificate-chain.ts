import { X509Certificate } from "node:crypto";
import { splitPemBlocks } from "./pem.ts";

/** A certificate with one of the chains that a CA offers for it. */
export type CertificateChain = {
  /** The leaf. */
  readonly certificatePem: string;
  /** The intermediates, leaf's issuer first; may be empty. */
  readonly chainPem: string;
};

/** Takes a chain apart: leaf first, then each issuer of the one before (RFC 8555 §9.1). Undefined when there is no certificate. */
export function readChain(pem: string): CertificateChain | undefined {
  const [certificatePem, ...intermediates] = splitPemBlocks(pem);
  return certificatePem === undefined ? undefined : { certificatePem, chainPem: intermediates.join("") };
}

const FINGERPRINT = /^[0-9a-f]{64}$/;

/**
 * How well a chain is the `wanted` one: 0 is best, infinity is not at all. A SHA-256 fingerprint (64 hex digits, colons or
 * not) means any certificate in it. Else a common name of an issuer is meant, and counts more the nearer it is to the
 * root: a cross-signed chain names the wanted root in its middle and goes on to another.
 */
export function distanceFrom(wanted: string, chain: CertificateChain): number {
  const certificates = certificatesOf(chain);
  const fingerprint = wanted.replaceAll(":", "").toLowerCase();
  if (FINGERPRINT.test(fingerprint)) {
    const isIn = certificates.some(
      ({ fingerprint256 }) => fingerprint256.replaceAll(":", "").toLowerCase() === fingerprint,
    );
    return isIn ? 0 : Infinity;
  }
  const distance = certificates.map(issuerName).toReversed().indexOf(wanted);
  return distance < 0 ? Infinity : distance;
}

/** The common name of the root that a chain leads to; undefined when its last certificate can't be read or names none. */
export function rootName(chain: CertificateChain): string | undefined {
  const top = certificatesOf(chain).at(-1);
  return top && issuerName(top);
}

/** Whether two chains are of the same leaf. */
export function isSameLeaf(a: CertificateChain, b: CertificateChain): boolean {
  const [first, second] = [certificatesOf(a)[0], certificatesOf(b)[0]];
  return first !== undefined && second !== undefined && first.raw.equals(second.raw);
}

// A block that is no certificate spoils its chain; whether that matters is decided where the certificate is kept.
function certificatesOf({ certificatePem, chainPem }: CertificateChain): X509Certificate[] {
  try {
    return [certificatePem, ...splitPemBlocks(chainPem)].map((pem) => new X509Certificate(pem));
  } catch {
    return [];
  }
}

function issuerName(certificate: X509Certificate): string | undefined {
  const { CN: name } = certificate.toLegacyObject().issuer;
  return [name].flat()[0];
}
