import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  hkdfSync,
  pbkdf2Sync,
  X509Certificate,
} from "node:crypto";
import { certificatesIn, der } from "../certificate/index.ts";

const { bmpString, element, integer, NULL, octets, oid, sequence, setOf, tagged } = der;

// 1.2.840.113549.1, under which all but two of them stand.
const PKCS = "2a864886f70d01";
const OID = {
  pbkdf2: oid(`${PKCS}050c`),
  pbes2: oid(`${PKCS}050d`),
  data: oid(`${PKCS}0701`),
  encryptedData: oid(`${PKCS}0706`),
  friendlyName: oid(`${PKCS}0914`),
  localKeyId: oid(`${PKCS}0915`),
  x509Certificate: oid(`${PKCS}091601`),
  shroudedKeyBag: oid(`${PKCS}0c0a0102`),
  certBag: oid(`${PKCS}0c0a0103`),
  hmacSha256: oid("2a864886f70d0209"),
  aes256Cbc: oid("60864801650304012a"),
  sha256: oid("608648016503040201"),
};

/** What a file in PKCS #12 is made of. */
export type Pkcs12Parts = {
  readonly privateKeyPem: string;
  /** The certificate, then those that lead to its root. */
  readonly chainPem: string;
  /** What the pair is called in it: `friendlyName`, the alias of keytool. */
  readonly name: string;
  /** Printable ASCII. */
  readonly password: string;
};

/**
 * A key and its chain as a file in PKCS #12 (RFC 7292), laid out and encrypted as OpenSSL 3 does it: AES-256, and SHA-256 throughout.
 * The same parts are the same file, whenever it is made, so that one can be compared with what is there.
 */
export function packPkcs12({ privateKeyPem, chainPem, name, password }: Pkcs12Parts): Buffer {
  const key = createPrivateKey(privateKeyPem).export({ type: "pkcs8", format: "der" });
  const chain = certificatesIn(chainPem).map((pem) => new X509Certificate(pem).raw);
  const random = drawFrom(key, [...chain, name, password]);
  const encrypt = (plain: Buffer) => encryptBy(password, random, plain);
  const names = attributesOf(name, chain[0] ?? Buffer.alloc(0));

  const certificates = chain.map((der, at) =>
    bag(OID.certBag, sequence(OID.x509Certificate, tagged(octets(der))), at === 0 ? names : []),
  );
  const safe = encrypt(sequence(...certificates));
  const encrypted = sequence(integer(0), sequence(OID.data, safe.algorithm, element(0x80, safe.bytes)));
  const shrouded = encrypt(key);
  const keys = sequence(bag(OID.shroudedKeyBag, sequence(shrouded.algorithm, octets(shrouded.bytes)), names));
  const contents = sequence(sequence(OID.encryptedData, tagged(encrypted)), data(keys));

  const macSalt = random(16);
  const mac = createHmac("sha256", macKeyOf(password, macSalt)).update(contents).digest();
  const macData = sequence(sequence(sequence(OID.sha256, NULL), octets(mac)), octets(macSalt), integer(ITERATIONS));
  return sequence(integer(3), data(contents), macData);
}

// What OpenSSL takes. The password stands in a label, for whoever may inspect the container: no number of them would protect it.
const ITERATIONS = 2048;

type Draw = (bytes: number) => Buffer;

// Salts need not be secret, only never the same for two files: so these come of all that is in the file. Nobody who hasn't the key
// learns anything by them (RFC 5869).
function drawFrom(key: Buffer, others: readonly (Buffer | string)[]): Draw {
  const digest = createHash("sha256");
  for (const other of others) digest.update(octets(Buffer.from(other)));
  const drawn = Buffer.from(hkdfSync("sha256", key, digest.digest(), "cert-sidecar PKCS #12", 80));
  let at = 0;
  return (bytes) => drawn.subarray(at, (at += bytes));
}

// PBES2 (RFC 8018 §6.2).
function encryptBy(password: string, random: Draw, plain: Buffer) {
  const [salt, iv] = [random(16), random(16)];
  const cipher = createCipheriv("aes-256-cbc", pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256"), iv);
  const derivation = sequence(octets(salt), integer(ITERATIONS), sequence(OID.hmacSha256, NULL));
  const algorithm = sequence(
    OID.pbes2,
    sequence(sequence(OID.pbkdf2, derivation), sequence(OID.aes256Cbc, octets(iv))),
  );
  return { algorithm, bytes: Buffer.concat([cipher.update(plain), cipher.final()]) };
}

// RFC 7292, appendix B.2, with a hash whose length is the key's: 64 bytes of the purpose, then salt and password in blocks of 64.
function macKeyOf(password: string, salt: Buffer): Buffer {
  const blocks = (bytes: Buffer) => Buffer.alloc(Math.ceil(bytes.length / 64) * 64, bytes);
  let key = Buffer.concat([Buffer.alloc(64, 3), blocks(salt), blocks(bmpString(`${password}\0`))]);
  for (let round = 0; round < ITERATIONS; round++) key = createHash("sha256").update(key).digest();
  return key;
}

// By localKeyId a reader finds the key's own certificate among those of the chain.
function attributesOf(name: string, certificate: Buffer): readonly Buffer[] {
  const id = octets(createHash("sha1").update(certificate).digest());
  return [sequence(OID.localKeyId, setOf(id)), sequence(OID.friendlyName, setOf(element(0x1e, bmpString(name))))];
}

function bag(kind: Buffer, value: Buffer, attributes: readonly Buffer[]): Buffer {
  return sequence(kind, tagged(value), ...(attributes.length > 0 ? [setOf(...attributes)] : []));
}

function data(content: Buffer): Buffer {
  return sequence(OID.data, tagged(octets(content)));
}
