import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import type { IssuedCertificate } from "../../src/reconcile/index.ts";

/** How a certificate made by {@link issueForTest} differs from one that is valid for 90 days from an hour ago. */
export type IssueForTest = {
  readonly names: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly accountId?: string;
  /** The CA's common name. */
  readonly issuer?: string;
  /** A key that is to be used again, PKCS #8 in PEM. */
  readonly privateKeyPem?: string | undefined;
};

const HOUR_MS = 3600 * 1000;

/** What a CA would give for these names: leaf, its key, one intermediate. No process, no file; every call makes new keys, but for one that is given. */
export function issueForTest({ names, ...options }: IssueForTest): IssuedCertificate {
  const notBefore = options.notBefore ?? new Date(Date.now() - HOUR_MS);
  const notAfter = options.notAfter ?? new Date(Date.now() + 90 * 24 * HOUR_MS);
  const issuer = createTestIssuer({ commonName: options.issuer ?? "Test intermediate", notBefore, notAfter });
  const { privateKeyPem = newKeyPem() } = options;
  return {
    privateKeyPem,
    certificatePem: issuer.sign({ names, key: createPublicKey(privateKeyPem), notBefore, notAfter }),
    chainPem: issuer.certificatePem,
    accountId: options.accountId ?? randomBytes(16).toString("hex"),
    isReplacement: false,
  };
}

function newKeyPem(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

type Life = { readonly notBefore: Date; readonly notAfter: Date };

/** What an issuer signs: names, the key they are for, a life, and a serial number, which is random when left out. */
export type LeafForTest = Life & {
  readonly names: readonly string[];
  readonly key: KeyObject;
  readonly serial?: Buffer;
};

/** A CA's intermediate: its certificate and what it signs, in PEM, and the name of its key in what it signs. */
export type TestIssuer = {
  readonly certificatePem: string;
  readonly authorityKeyId: Buffer;
  readonly sign: (leaf: LeafForTest) => string;
};

/** Makes an intermediate with a key of its own, which signs its own certificate too. */
export function createTestIssuer({ commonName, ...life }: Life & { readonly commonName: string }): TestIssuer {
  const ca = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const common = { signer: ca.privateKey, issuer: commonName, authorityKeyId: keyIdOf(ca.publicKey) };
  const certificatePem = writeCertificate({ ...common, ...life, subject: commonName, key: ca.publicKey, names: [] });
  return {
    certificatePem,
    authorityKeyId: common.authorityKeyId,
    sign: (leaf) => writeCertificate({ ...common, ...leaf, subject: leaf.names[0] ?? "" }),
  };
}

type Parts = LeafForTest & {
  readonly subject: string;
  readonly issuer: string;
  readonly signer: KeyObject;
  readonly authorityKeyId: Buffer;
};

// RFC 5280 §4.1, in DER: what a test needs of it.
function writeCertificate(parts: Parts): string {
  const algorithm = der(0x30, oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, parts.serial ?? Buffer.concat([Buffer.from([0x10]), randomBytes(15)]));
  const validity = der(0x30, utcTime(parts.notBefore), utcTime(parts.notAfter));
  const key = parts.key.export({ type: "spki", format: "der" });
  const fields = [version, serial, algorithm, name(parts.issuer), validity, name(parts.subject), key];
  const signed = der(0x30, ...fields, extensions(parts));
  const signature = sign("sha256", signed, parts.signer);
  const whole = der(0x30, signed, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function extensions({ names, authorityKeyId }: Parts): Buffer {
  const extension = (id: string, value: Buffer) => der(0x30, oid(id), der(0x04, value));
  const list = names.map((one) => (isIP(one) === 0 ? der(0x82, Buffer.from(one)) : der(0x87, addressBytes(one))));
  const alternativeNames = list.length === 0 ? [] : [extension("551d11", der(0x30, ...list))];
  const authorityKey = extension("551d23", der(0x30, der(0x80, authorityKeyId)));
  return der(0xa3, der(0x30, ...alternativeNames, authorityKey));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [before = "", after] = address.split("::");
  const words = (text = "") => text.split(":").flatMap((word) => (word === "" ? [] : [word.padStart(4, "0")]));
  const zeros = Array<string>(8 - words(before).length - words(after).length).fill("0000");
  return Buffer.from([...words(before), ...zeros, ...words(after)].join(""), "hex");
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
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
