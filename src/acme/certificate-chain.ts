import { X509Certificate } from "node:crypto";
import { certificatesIn, isKeyOf } from "../certificate/index.ts";
import type { Answer, Connection } from "./connection.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { ProblemError } from "./failures/problem-errors.ts";
import type { Order } from "./objects.ts";
import type { OrderContext } from "./order-context.ts";

/** A certificate with one of the chains that a CA offers for it. */
export type CertificateChain = {
  /** The leaf. */
  readonly certificatePem: string;
  /** The intermediates, leaf's issuer first; may be empty. */
  readonly chainPem: string;
};

// Let's Encrypt offers up to three. A CA that names more than this is not worth asking for all of them.
const MOST_ALTERNATES = 10;

/**
 * Fetches the certificate of a valid order (RFC 8555 §7.4.2), whose key is given, with the chain that the request prefers where the CA offers it, else
 * with the CA's default one. No trouble with another chain than the default one is a reason to fail.
 */
export async function downloadCertificate(
  context: OrderContext,
  order: Order,
  privateKeyPem: string,
): Promise<CertificateChain> {
  return inOrder(await download(context, order), privateKeyPem);
}

// RFC 8555 §9.1 wants the leaf first and each once; a CA, or who pastes one together, may begin at the root.
function inOrder(chain: CertificateChain, privateKeyPem: string): CertificateChain {
  const all = [...new Set([chain.certificatePem, ...certificatesIn(chain.chainPem)])];
  const leaf = all.find((pem) => isKeyOf(pem, privateKeyPem));
  // None is its own: that is told where the certificate is kept.
  if (leaf === undefined) return chain;
  const issuers = all.filter((pem) => pem !== leaf);
  const isUpsideDown = issuers.length > 0 && leaf === all.at(-1);
  return { certificatePem: leaf, chainPem: (isUpsideDown ? issuers.toReversed() : issuers).join("") };
}

async function download(context: OrderContext, order: Order): Promise<CertificateChain> {
  if (order.certificate === undefined) {
    throw new UnexpectedAnswerError(order.url, "a valid order without a certificate");
  }
  // Signed is signed, and counted: a certificate is fetched although the order's time may be up.
  const unhurried = await context.reconnect(context.deadline.signal);
  const { answer, chain } = await fetchChain(unhurried, order.certificate);
  const wanted = context.request.preferredChain;
  if (wanted === undefined || distanceFrom(wanted, chain) === 0) return chain;
  const offered = [chain];
  for await (const alternate of alternates(context, answer, chain)) {
    offered.push(alternate);
    if (distanceFrom(wanted, alternate) === 0) return alternate;
  }
  return nearest(context, wanted, offered) ?? chain;
}

function nearest({ log, request }: OrderContext, wanted: string, offered: readonly CertificateChain[]) {
  const distances = offered.map((chain) => distanceFrom(wanted, chain));
  const shortest = Math.min(...distances);
  if (shortest !== Infinity) return offered[distances.indexOf(shortest)];
  log.warn("chain.not-offered", { lineage: request.lineage, chain: wanted, offered: offered.map(rootName) });
  return undefined;
}

async function* alternates(context: OrderContext, answer: Answer, chain: CertificateChain) {
  const urls = linkTargets(answer.link, "alternate", answer.url);
  for (const url of urls.slice(0, MOST_ALTERNATES)) {
    try {
      const { chain: alternate } = await fetchChain(context.connection, url);
      if (isSameLeaf(alternate, chain)) yield alternate;
    } catch (error) {
      context.deadline.signal.throwIfAborted();
      // One that is refused or garbled is left out. A CA that gives no answer would give none for the next one either, and
      // the certificate is waiting.
      if (!(error instanceof ProblemError || error instanceof UnexpectedAnswerError)) return;
    }
  }
}

async function fetchChain(connection: Connection, url: string) {
  const answer = await connection.post(`give the certificate ${url}`, url, null);
  const chain = readChain(answer.text);
  if (chain === undefined) throw new UnexpectedAnswerError(url, "a certificate in PEM was expected");
  return { answer, chain };
}

/** Takes a chain apart: leaf first, then each issuer of the one before (RFC 8555 §9.1). Undefined when there is no certificate. */
export function readChain(pem: string): CertificateChain | undefined {
  const [certificatePem, ...intermediates] = certificatesIn(pem);
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
  const digits = (fingerprint: string) => fingerprint.replaceAll(":", "").toLowerCase();
  if (FINGERPRINT.test(digits(wanted))) {
    return certificates.some(({ fingerprint256 }) => digits(fingerprint256) === digits(wanted)) ? 0 : Infinity;
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
    return [certificatePem, ...certificatesIn(chainPem)].map((pem) => new X509Certificate(pem));
  } catch {
    return [];
  }
}

function issuerName(certificate: X509Certificate): string | undefined {
  const { CN: name } = certificate.toLegacyObject().issuer;
  return [name].flat()[0];
}

// One link of RFC 8288 §3: a target in angle brackets and its parameters, whose values may be quoted and hold commas then.
const LINK = /<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/g;
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;

/**
 * The targets of a Link header's entries of one relation type, in order, as absolute URLs. `header` may be several headers
 * joined by commas; what can't be read is left out.
 */
export function linkTargets(header: string | undefined, relation: string, base: string): string[] {
  return [...(header ?? "").matchAll(LINK)].flatMap(([, target = "", parameters = ""]) => {
    const [, quoted, bare] = RELATION.exec(parameters) ?? [];
    const relations = (quoted ?? bare ?? "").toLowerCase().split(/\s+/);
    const url = relations.includes(relation) ? URL.parse(target, base) : null;
    return url === null ? [] : [url.href];
  });
}
