import { type CertificateChain, distanceFrom, isSameLeaf, readChain, rootName } from "./certificate-chain.ts";
import type { Answer, Connection } from "./connection.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { linkTargets } from "./link-header.ts";
import type { OrderContext, PlacedOrder } from "./order-context.ts";
import { ProblemError } from "./failures/problem-errors.ts";

// Let's Encrypt offers up to three. A CA that names more than this is not worth asking for all of them.
const MOST_ALTERNATES = 10;

/**
 * Fetches the certificate of a valid order (RFC 8555 §7.4.2), with the chain that the request prefers where the CA offers it, else
 * with the CA's default one. No trouble with another chain than the default one is a reason to fail.
 */
export async function downloadCertificate(context: OrderContext, order: PlacedOrder): Promise<CertificateChain> {
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
