import { exactSetKey, toFailure } from "../certificate/index.ts";
import type { IssuedCertificate, IssueRequest, OpenOrder } from "./certificate-authority.ts";
import type { DesiredCertificate } from "./desired-certificate.ts";
import type { IssueTask } from "./issue-step.ts";
import type { StoredOrder } from "./lineage-store.ts";
import type { StepParts } from "./run.ts";

const HOUR_MS = 60 * 60_000;

// A certificate that has waited for longer is not worth the part of its life that has gone; and whatever keeps a CA from an order
// for so long may have to do with the order.
const FRESH_FOR_MS = 24 * HOUR_MS;
// A CA that takes longer for one order has lost it, as far as anybody can tell.
const DECIDED_WITHIN_MS = HOUR_MS;

/** The order of an earlier try that may still give the certificate that is wanted now. Throws OperatorError. */
export async function findOpenOrder(
  { store, clock }: Pick<StepParts, "store" | "clock">,
  { lineage, identifiers, settings }: DesiredCertificate,
): Promise<StoredOrder | undefined> {
  const order = await store.loadOrder(lineage);
  if (order === undefined) return undefined;
  const isSame =
    order.names === exactSetKey(identifiers) &&
    order.keyType === settings.keyType &&
    order.profile === settings.profile?.name;
  return isSame && ageOf(order, clock.now()) < FRESH_FOR_MS ? order : undefined;
}

/**
 * Gets the certificate of an open order, where the CA has it; else forgets the order. One that the CA may still finish is kept
 * when this throws. Throws as `CertificateAuthority.issue`.
 */
export async function collectOpenOrder(
  parts: StepParts,
  { desired, log, signal }: IssueTask,
  { order, request }: { readonly order: StoredOrder; readonly request: IssueRequest },
): Promise<IssuedCertificate | undefined> {
  const mayWait = ageOf(order, parts.clock.now()) < DECIDED_WITHIN_MS;
  const issued = await parts.ca.collect(order, { ...request, mayWait }, log, signal);
  if (issued === undefined) await parts.store.removeOrder(desired.lineage);
  return issued;
}

/** Keeps an order whose CSR is about to be sent. Throws OperatorError. */
export function keepOrder({ store, clock }: StepParts, { desired, order }: IssueTask, open: OpenOrder): Promise<void> {
  const { lineage, identifiers, settings } = desired;
  const { url, privateKeyPem, isReplacement } = open;
  return store.saveOrder(lineage, {
    schema: 1,
    url,
    privateKeyPem,
    isReplacement,
    directoryUrl: order.directoryUrl,
    names: exactSetKey(identifiers),
    keyType: settings.keyType,
    profile: settings.profile?.name,
    sentAt: clock.now().toISOString(),
  });
}

/** Forgets an order that has been seen through, or has come to nothing. One that stays behind is told and no more. */
export async function forgetOrder({ store }: StepParts, { desired, log }: IssueTask): Promise<void> {
  const { lineage } = desired;
  await store.removeOrder(lineage).catch((thrown: unknown) => {
    log.error("state.unsaved", { lineage, ...toFailure(thrown) });
  });
}

// One from the future was written by a clock that has been set back since: by how much, nobody knows.
function ageOf({ sentAt }: StoredOrder, now: Date): number {
  return Math.abs(now.getTime() - Date.parse(sentAt));
}
