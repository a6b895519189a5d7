import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";
import type { IssuedCertificate } from "../../src/reconcile/index.ts";

/** How a certificate made by {@link issueForTest} differs from one that is valid for 90 days from an hour ago. */
export type IssueForTest = {
  readonly names: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly accountId?: string;
  /** The CA's common name. */
  readonly issuer?: string;
};

const HOUR_MS = 3600 * 1000;

/** What a CA would give for these names: leaf, its key, one intermediate. No process, no file; every call makes new keys. */
export function issueForTest({ names, ...options }: IssueForTest): IssuedCertificate {
  const notBefore = options.notBefore ?? new Date(Date.now() - HOUR_MS);
  const notAfter = options.notAfter ?? new Date(Date.now() + 90 * 24 * HOUR_MS);
  const ca = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const leaf = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const life = { notBefore, notAfter, signer: ca.privateKey, issuer: options.issuer ?? "Test intermediate" };
  return {
    privateKeyPem: leaf.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificatePem: certificatePem({ ...life, subject: names[0] ?? "", key: leaf.publicKey, names }),
    chainPem: certificatePem({ ...life, subject: life.issuer, key: ca.publicKey, names: [] }),
    accountId: options.accountId ?? randomBytes(16).toString("hex"),
  };
}

type Parts = {
  readonly subject: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly signer: KeyObject;
  readonly names: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
};

// RFC 5280 §4.1, in DER: what a test needs of it.
function certificatePem(parts: Parts): string {
  const algorithm = der(0x30, oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.concat([Buffer.from([0x10]), randomBytes(15)]));
  const validity = der(0x30, utcTime(parts.notBefore), utcTime(parts.notAfter));
  const key = parts.key.export({ type: "spki", format: "der" });
  const fields = [version, serial, algorithm, name(parts.issuer), validity, name(parts.subject), key];
  const signed = der(0x30, ...fields, ...extensions(parts.names));
  const signature = sign("sha256", signed, parts.signer);
  const whole = der(0x30, signed, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function extensions(names: readonly string[]): Buffer[] {
  if (names.length === 0) return [];
  const list = names.map((one) =>
    isIPv4(one) ? der(0x87, Buffer.from(one.split(".").map(Number))) : der(0x82, Buffer.from(one)),
  );
  const alternativeNames = der(0x30, oid("551d11"), der(0x04, der(0x30, ...list)));
  return [der(0xa3, der(0x30, alternativeNames))];
}

function name(commonName: string): Buffer {
  return der(0x30, der(0x31, der(0x30, oid("550403"), der(0x0c, Buffer.from(commonName)))));
}

function utcTime(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, "").slice(2, 14)}Z`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
