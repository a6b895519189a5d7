import { createPrivateKey, type KeyObject } from "node:crypto";
import { asOperatorError, type OperatorError, PlainError } from "../certificate/index.ts";
import type { CollectRequest, IssuedCertificate, OpenOrder } from "../reconcile/index.ts";
import type { Answer } from "./connection.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { downloadCertificate } from "./certificate-chain.ts";
import { type Order, readOrder } from "./objects.ts";
import type { OrderContext } from "./order-context.ts";
import { pollUntilDecided } from "./poll.ts";
import { ACME_ERROR, isRecord } from "./failures/problem.ts";
import { ProblemError, RateLimitedError } from "./failures/problem-errors.ts";
import { proveControl } from "./proof.ts";
import { createSigningRequest, type SigningRequest } from "./signing-request.ts";

/**
 * Sees a placed order through: proofs where they are wanted, finalize, download. `key` is the certificate's; a new one is made
 * where it is left out. Throws OperatorError or the signal's reason; no proof and no pending authorization stays behind where
 * it can be helped.
 */
export async function completeOrder(
  context: OrderContext,
  order: Order,
  key?: KeyObject,
): Promise<Omit<IssuedCertificate, "accountId">> {
  const { request, log } = context;
  if (order.status === "invalid") throw lost(order);
  if (order.status === "pending") await proveControl(context, order);
  else log.info("authorization.reused", { lineage: request.lineage, order: order.url });
  const signingRequest = await createSigningRequest(request, key);
  // RFC 9773 §5: what the CA shows in its order counts, not what we have sent.
  const isReplacement = request.replaces !== undefined && order.replaces === request.replaces;
  await request.beforeFinalize?.({ url: order.url, privateKeyPem: signingRequest.privateKeyPem, isReplacement });
  const { privateKeyPem } = signingRequest;
  const chain = await downloadCertificate(context, await finalize(context, order, signingRequest), privateKeyPem);
  return { privateKeyPem, ...chain, isReplacement };
}

/**
 * Sees an order through whose CSR may have been sent by an earlier try, with the same key. Gives undefined when it comes to
 * nothing: the CA doesn't know it any more, or gives it up, or we do. Throws as {@link completeOrder}.
 */
export async function resumeOrder(
  context: OrderContext,
  open: OpenOrder,
  { mayWait }: Pick<CollectRequest, "mayWait">,
): Promise<Omit<IssuedCertificate, "accountId"> | undefined> {
  const { request, log } = context;
  const { privateKeyPem, isReplacement } = open;
  const about = { lineage: request.lineage, order: open.url };
  let status: Order["status"] | undefined;
  try {
    const order = await showOrder(context, open.url);
    ({ status } = order);
    const isHopeful = status === "valid" || status === "ready" || (status === "processing" && mayWait);
    log.info(isHopeful ? "order.resumed" : "order.given-up", { ...about, status });
    if (!isHopeful) return undefined;
    // "ready": the CA has not seen the CSR; a death came before the request, or an error in answer to it.
    const finished =
      status === "ready"
        ? await finalize(context, order, await createSigningRequest(request, createPrivateKey(privateKeyPem)))
        : await decided(context, order);
    return { privateKeyPem, ...(await downloadCertificate(context, finished, privateKeyPem)), isReplacement };
  } catch (error) {
    // A CA that shows the order but fails at what is next may well fail at a new one too, and that one would count.
    const mayFail = mayWait || status !== undefined;
    if (!isHopeless(error, mayFail)) throw error;
    log.info("order.given-up", { ...about, reason: asOperatorError(error).message });
    return undefined;
  }
}

function isHopeless(error: unknown, mayFail: boolean): boolean {
  if (error instanceof RateLimitedError) return false;
  // There is nothing at its URL, and no problem document that says so.
  if (error instanceof UnexpectedAnswerError && (error.status === 404 || error.status === 410)) return true;
  const { origin } = asOperatorError(error);
  return origin === "ca-refused" || (origin === "ca-failing" && !mayFail);
}

async function finalize(context: OrderContext, order: Order, signingRequest: SigningRequest): Promise<Order> {
  const finished = await send(context, order, signingRequest);
  context.log.info("order.finalized", { lineage: context.request.lineage, order: order.url });
  return finished;
}

async function send(context: OrderContext, { url, finalize }: Order, { csr }: SigningRequest): Promise<Order> {
  const post = async () => {
    const { data } = await context.connection.post(`finalize the order ${url}`, finalize, { csr });
    // The CSR is taken; where the answer isn't the order, the order tells.
    return decided(context, isRecord(data) && "status" in data ? readOrder(url, data) : await showOrder(context, url));
  };
  try {
    return await post();
  } catch (error) {
    // Either the CA's right hand has not seen yet that all names are proven (not ready yet), or a first finalize got there and
    // only its answer was lost (no longer ready). The order itself tells.
    if (!(error instanceof ProblemError) || error.problem.type !== `${ACME_ERROR}orderNotReady`) throw error;
    const current = await untilNot(context, url, ["pending"]);
    return current.status === "ready" ? post() : decided(context, current);
  }
}

/** The order once it is valid; throws when the CA gives it up. `answered` is what the CA said last. */
async function decided(context: OrderContext, answered: Order): Promise<Order> {
  const isFinished = answered.status === "valid" || answered.status === "invalid";
  // "ready" is waited out too: some CAs answer so for an instant after they have taken the CSR.
  const current = isFinished ? answered : await untilNot(context, answered.url, ["processing", "ready"]);
  if (current.status !== "valid") throw lost(current);
  return current;
}

function lost({ url, error }: Order): OperatorError {
  if (error !== undefined) return new ProblemError(`complete the order ${url}`, error);
  return new PlainError({
    // The CA gave up the order and did not say why (RFC 8555 §7.1.6). A new one is placed by itself.
    code: "ACME_ORDER_INVALID",
    origin: "ca-refused",
    message: `The CA made the order ${url} invalid and gave no reason`,
    remedy: "Leave the daemon running, it places a new order by itself; ask whoever runs the CA if it lasts.",
  });
}

function untilNot(context: OrderContext, url: string, pending: readonly Order["status"][]): Promise<Order> {
  return pollUntilDecided({
    what: `the order ${url}`,
    deadline: context.deadline,
    poll: async () => {
      const { retryAfter, ...current } = await showOrder(context, url);
      return { value: current, isPending: pending.includes(current.status), retryAfter };
    },
  });
}

async function showOrder({ connection }: OrderContext, url: string): Promise<Order & Pick<Answer, "retryAfter">> {
  const { data, retryAfter } = await connection.post(`show the order ${url}`, url, null);
  return { ...readOrder(url, data), retryAfter };
}
