import { exactSetKey, lifetimeMs, planRenewal, readLeaf, toFailure } from "../../certificate/index.ts";
import type { IssuedCertificate, IssueRequest, OpenOrder } from "./certificate-authority.ts";
import type { DesiredCertificate } from "./desired.ts";
import type { IssueContext } from "./context.ts";
import type { StoredOrder } from "../lineage-store.ts";
import type { StepParts } from "../run.ts";

const HOUR_MS = 60 * 60_000;

// What keeps a CA from an order for longer may have to do with the order. Where the life of a certificate goes on meanwhile, a
// twentieth of it can be spared; where there is none, an hour.
const WORTH_MS = 24 * HOUR_MS;
const WORTH_SHARE = 1 / 20;
const WORTH_WITHOUT_MS = HOUR_MS;

// A CA that is at one order for longer has lost it, as far as anybody can tell.
const DECIDED_WITHIN_MS = HOUR_MS;

/** The order of an earlier try that may still give the certificate that is wanted now. Throws OperatorError. */
export async function findOpenOrder(
  { store, clock }: Pick<StepParts, "store" | "clock">,
  desired: DesiredCertificate,
): Promise<StoredOrder | undefined> {
  const { lineage, identifiers, settings } = desired;
  const order = await store.loadOrder(lineage);
  if (order === undefined) return undefined;
  const isSame =
    order.names === exactSetKey(identifiers) &&
    order.keyType === settings.keyType &&
    order.profile === settings.profile?.name;
  return isSame && (order.isSigned || ageOf(order, clock.now()) < worthMs(desired)) ? order : undefined;
}

/** The open order that an order may be replaced by: at the same CA, with a key that is still the right one. Throws as `findOpenOrder`. */
export async function openOrderFor(
  parts: StepParts,
  { desired, order }: IssueContext,
  request: IssueRequest,
): Promise<StoredOrder | undefined> {
  // Who forces a renewal may have a reason not to want the key of before.
  const open = order.because === "forced" ? undefined : await findOpenOrder(parts, desired);
  if (open?.directoryUrl !== order.directoryUrl) return undefined;
  return request.privateKeyPem === (open.isKeyReused ? open.privateKeyPem : undefined) ? open : undefined;
}

/**
 * Gets the certificate of an open order, where the CA has it and it is not due for renewal by now; else forgets the order. One
 * that the CA may still finish is kept when this throws. Throws as `CertificateAuthority.issue`.
 */
export async function collectOpenOrder(
  parts: StepParts,
  { desired, log, signal }: IssueContext,
  { open, request }: { readonly open: StoredOrder; readonly request: IssueRequest },
): Promise<IssuedCertificate | undefined> {
  const now = parts.clock.now();
  const mayWait = ageOf(open, now) < Math.min(DECIDED_WITHIN_MS, worthMs(desired));
  const issued = await parts.ca.collect(open, { ...request, mayWait }, log, signal);
  if (issued && isOfUse(issued, desired, now)) return issued;
  await parts.store.removeOrder(desired.lineage);
  return undefined;
}

// A death after the certificate was installed leaves the order of the one that is there. What can't be read is of no use at all.
function isOfUse({ certificatePem }: IssuedCertificate, { current }: DesiredCertificate, now: Date): boolean {
  try {
    const { fingerprint, validity } = readLeaf(certificatePem);
    return fingerprint !== current?.leaf.fingerprint && planRenewal({ validity }, now).kind === "wait";
  } catch {
    return false;
  }
}

/** Keeps an order whose CSR is about to be sent. Throws OperatorError. */
export function keepOrder(
  { store, clock }: StepParts,
  { desired, order }: IssueContext,
  { placed, isKeyReused }: { readonly placed: OpenOrder; readonly isKeyReused: boolean },
): Promise<void> {
  const { lineage, identifiers, settings } = desired;
  const { url, privateKeyPem, isReplacement } = placed;
  return store.saveOrder(lineage, {
    schema: 1,
    url,
    privateKeyPem,
    isReplacement,
    isKeyReused,
    directoryUrl: order.directoryUrl,
    names: exactSetKey(identifiers),
    keyType: settings.keyType,
    profile: settings.profile?.name,
    sentAt: clock.now().toISOString(),
  });
}

/** Keeps the order of a certificate that only we keep from being used, by our clock or our storage, until it is. Throws OperatorError. */
export async function keepSigned({ store }: StepParts, { desired: { lineage } }: IssueContext): Promise<void> {
  const order = await store.loadOrder(lineage);
  if (order) await store.saveOrder(lineage, { ...order, isSigned: true });
}

/** Forgets an order that has been seen through, or has come to nothing. One that stays behind is told and no more. */
export async function forgetOrder({ store }: StepParts, { desired, log }: IssueContext): Promise<void> {
  const { lineage } = desired;
  await store.removeOrder(lineage).catch((thrown: unknown) => {
    log.error("state.unsaved", { lineage, ...toFailure(thrown) });
  });
}

function worthMs({ current }: DesiredCertificate): number {
  return current ? Math.min(WORTH_MS, lifetimeMs(current.leaf.validity) * WORTH_SHARE) : WORTH_WITHOUT_MS;
}

// One from the future was written by a clock that has been set back since: by how much, nobody knows.
function ageOf({ sentAt }: StoredOrder, now: Date): number {
  return Math.abs(now.getTime() - Date.parse(sentAt));
}
