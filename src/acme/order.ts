import type { KeyObject } from "node:crypto";
import type { OperatorError } from "../certificate/index.ts";
import type { IssuedCertificate } from "../reconcile/index.ts";
import { downloadCertificate } from "./download.ts";
import { type Order, readOrder } from "./objects.ts";
import { OrderInvalidError } from "./order-errors.ts";
import type { OrderStory, PlacedOrder } from "./order-story.ts";
import { pollUntilDecided } from "./poll.ts";
import { ACME_ERROR } from "./problem.ts";
import { ProblemError } from "./problem-errors.ts";
import { proveControl } from "./proof.ts";
import { createSigningRequest, type SigningRequest } from "./signing-request.ts";

/**
 * Sees a placed order through: proofs where they are wanted, finalize, download. `key` is the certificate's; a new one is made
 * where it is left out. Throws OperatorError or the signal's reason; no proof and no pending authorization stays behind where
 * it can be helped.
 */
export async function completeOrder(
  story: OrderStory,
  order: PlacedOrder,
  key?: KeyObject,
): Promise<Omit<IssuedCertificate, "accountId">> {
  const { request, log } = story;
  if (order.status === "invalid") throw lost(order);
  if (order.status === "pending") await proveControl(story, order);
  else log.info("authorization.reused", { lineage: request.lineage, order: order.url });
  const signingRequest = await createSigningRequest(request, key);
  // RFC 9773 §5: what the CA shows in its order counts, not what we have sent.
  const isReplacement = request.replaces !== undefined && order.replaces === request.replaces;
  await request.beforeFinalize?.({ isReplacement });
  const finished = await finalize(story, order, signingRequest);
  log.info("order.finalized", { lineage: request.lineage, order: order.url });
  const chain = await downloadCertificate(story, finished);
  return { privateKeyPem: signingRequest.privateKeyPem, ...chain, isReplacement };
}

async function finalize(story: OrderStory, order: PlacedOrder, { csr }: SigningRequest): Promise<PlacedOrder> {
  const send = () => story.connection.post(`finalize the order ${order.url}`, order.finalize, { csr });
  try {
    const answer = await send();
    return await decided(story, order, readOrder(order.url, answer.data));
  } catch (error) {
    // Either the CA's right hand has not seen yet that all names are proven (not ready yet), or a first finalize got there and
    // only its answer was lost (no longer ready). The order itself tells.
    if (!(error instanceof ProblemError) || error.problem.type !== `${ACME_ERROR}orderNotReady`) throw error;
    const current = await untilNot(story, order, ["pending"]);
    if (current.status === "ready") return decided(story, order, readOrder(order.url, (await send()).data));
    return decided(story, order, current);
  }
}

/** The order once it is valid; throws when the CA gives it up. `answered` is what the CA said last. */
async function decided(story: OrderStory, order: PlacedOrder, answered: Order): Promise<PlacedOrder> {
  const isFinished = answered.status === "valid" || answered.status === "invalid";
  // "ready" is waited out too: some CAs answer so for an instant after they have taken the CSR.
  const current = isFinished ? { ...answered, url: order.url } : await untilNot(story, order, ["processing", "ready"]);
  if (current.status !== "valid") throw lost(current);
  return current;
}

function lost({ url, error }: PlacedOrder): OperatorError {
  return error === undefined ? new OrderInvalidError(url) : new ProblemError(`complete the order ${url}`, error);
}

function untilNot(story: OrderStory, order: PlacedOrder, pending: readonly Order["status"][]): Promise<PlacedOrder> {
  return pollUntilDecided({
    what: `the order ${order.url}`,
    patience: story.patience,
    look: async () => {
      const answer = await story.connection.post(`show the order ${order.url}`, order.url, null);
      const current = { ...readOrder(order.url, answer.data), url: order.url };
      return { value: current, isPending: pending.includes(current.status), retryAfter: answer.retryAfter };
    },
  });
}
