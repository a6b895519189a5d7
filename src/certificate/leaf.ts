import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { certificateIdOf } from "./certificate-id.ts";
import { canonicalIp, type Identifier } from "./identifier.ts";
import type { Validity } from "./validity.ts";

/** What we need to know of a leaf certificate. */
export type Leaf = {
  /** SHA-256 over the DER, upper-case hex pairs joined by colons, as OpenSSL and Node print it. */
  readonly fingerprint: string;
  /** Upper-case hex, as Node prints it. */
  readonly serial: string;
  readonly validity: Validity;
  readonly identifiers: readonly Identifier[];
  /** The issuer's common name, or its whole name where it has none. */
  readonly issuer: string;
  /** Whether no CA has issued it. */
  readonly isSelfSigned?: boolean | undefined;
  /** Node's word for the kind of its key: `ec`, `rsa`. */
  readonly keyKind?: string | undefined;
  /** Its name at the CA's renewal information (RFC 9773 §4.1); undefined where the certificate names no authority key. */
  readonly certificateId?: string | undefined;
};

/** Reads the first certificate of a PEM text. Throws an Error when there is none. */
export function readLeaf(pem: string): Leaf {
  return leafOf(new X509Certificate(pem));
}

/** What we need to know of a certificate that Node has read. */
export function leafOf(certificate: X509Certificate): Leaf {
  return {
    fingerprint: certificate.fingerprint256,
    serial: certificate.serialNumber,
    validity: { notBefore: certificate.validFromDate, notAfter: certificate.validToDate },
    identifiers: readIdentifiers(certificate),
    issuer: /^CN=(.*)$/m.exec(certificate.issuer)?.[1] ?? certificate.issuer.replaceAll("\n", ", "),
    isSelfSigned: certificate.checkIssued(certificate),
    keyKind: certificate.publicKey.asymmetricKeyType,
    certificateId: certificateIdOf(certificate),
  };
}

/** Whether `privateKeyPem` is the key of the first certificate in `certificatePem`; false when either can't be read. */
export function isKeyOf(certificatePem: string, privateKeyPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false;
  }
}

// `subjectAltName` is "DNS:a.test, IP Address:192.0.2.1". Values that need quoting (commas, quotes) are no names a CA signs.
function readIdentifiers(certificate: X509Certificate): Identifier[] {
  return (certificate.subjectAltName ?? "").split(", ").flatMap((entry): Identifier[] => {
    if (entry.startsWith("DNS:")) return [{ type: "dns", value: entry.slice(4).toLowerCase() }];
    const address = entry.startsWith("IP Address:") ? entry.slice(11) : "";
    return isIP(address) === 0 ? [] : [{ type: "ip", value: canonicalIp(address) }];
  });
}
