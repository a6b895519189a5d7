const CERTIFICATE = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM text, in order, each in lines of 64 characters (RFC 7468 §2) that end with a newline, whatever ended
 * them; what stands between them is left out.
 */
export function certificatesIn(pem: string): string[] {
  return [...pem.matchAll(CERTIFICATE)].map(([, body = ""]) => {
    const lines = body.replaceAll(/\s+/g, "").match(/.{1,64}/g) ?? [];
    return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  });
}
