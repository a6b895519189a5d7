import { asOperatorError, identifierKey, namesBeyond, toFailure } from "../../certificate/index.ts";
import { hasStarted, recordFailure, recordStart, recordSuccess, type Attempt } from "./attempts.ts";
import { recordRefusal, spendOrder } from "./ca/spending.ts";
import { activeWait } from "./ca/wait.ts";
import type { IssueContext } from "./context.ts";
import type { IssuedCertificate, IssueRequest, OpenOrder } from "./certificate-authority.ts";
import type { DesiredCertificate } from "./desired.ts";
import { BudgetExceededError, MayNotActError, ofUnnamed } from "../errors.ts";
import type { LineageVersion } from "../lineage-store.ts";
import { collectOpenOrder, forgetOrder, keepOrder, keepSigned, openOrderFor } from "./open-order.ts";
import { onDisk } from "./report.ts";
import type { StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";

/**
 * Orders a new version and puts it on disk. The attempt, its back-off and what it spends are on disk before the CA hears of
 * it, so that a death at any line counts as a failed try. Never throws, except the signal's reason.
 */
export async function issueVersion(parts: StepParts, asked: IssueContext): Promise<CertificateReport> {
  const context = { ...asked, startedAt: parts.clock.now() };
  const { desired, log, signal } = context;
  try {
    if (!(await parts.mayAct())) throw new MayNotActError(`nothing was ordered for ${desired.lineage}`);
    const owe = parts.owing();
    const issued = await getCertificate(parts, context);
    await owe(desired);
    const version = await install(parts, context, issued);
    await forgetOrder(parts, context);
    return await installed(parts, context, version);
  } catch (thrown) {
    if (!signal.aborted) return failed(parts, context, thrown);
    log.warn("attempt.interrupted", { lineage: desired.lineage });
    throw thrown;
  }
}

// What an earlier try has left at the CA is fetched before anything new is ordered: it has been paid for.
async function getCertificate(parts: StepParts, context: Attempt): Promise<IssuedCertificate> {
  const { log, signal } = context;
  const request = await toRequest(parts, context);
  const open = await openOrderFor(parts, context, request);
  if (open) {
    await recordStart(parts, context);
    const collected = await collectOpenOrder(parts, context, { open, request });
    if (collected) return collected;
  }
  tellExceptions(parts, context);
  const countIssued = await spendOrder(parts, context);
  if (!open) await recordStart(parts, context);
  const isKeyReused = request.privateKeyPem !== undefined;
  const beforeFinalize = async (placed: OpenOrder) => {
    await keepOrder(parts, context, { placed, isKeyReused });
    try {
      await countIssued(placed);
    } catch (thrown) {
      // The CSR is not sent then, and what isn't counted must not be later.
      await forgetOrder(parts, context);
      throw thrown;
    }
  };
  return parts.ca.issue({ ...request, beforeFinalize }, log, signal);
}

// The version is on disk: what can't be written down about it doesn't take that back.
async function installed(parts: StepParts, context: Attempt, version: LineageVersion): Promise<CertificateReport> {
  const { desired, order, log, startedAt } = context;
  const { lineage, identifiers } = desired;
  const { fingerprint, validity } = version.leaf;
  const doubt = (await recordSuccess(parts, context, validity).catch(unsavedBy(context))) ?? {};
  const outcome = desired.current ? "renewed" : "issued";
  const { because, directoryUrl: ca } = order;
  const durationMs = parts.clock.now().getTime() - startedAt.getTime();
  log.info(`lineage.${outcome}`, { lineage, version: version.version, because, ca, ...validity, durationMs });
  const names = namesBeyond(version.leaf.identifiers, identifiers);
  if (names.length > 0) log.info("lineage.names-added", { lineage, names });
  if (doubt.failure) log.error("lineage.failed", { lineage, ...doubt.failure, nextAt: doubt.nextAt });
  return { lineage, identifiers, because, outcome, version: version.version, fingerprint, validity, ...doubt };
}

function unsavedBy({ desired: { lineage }, log }: IssueContext) {
  return (thrown: unknown): void => log.error("state.unsaved", { lineage, ...toFailure(thrown) });
}

async function failed(parts: StepParts, context: Attempt, thrown: unknown): Promise<CertificateReport> {
  const { desired, order, log } = context;
  const { lineage, identifiers, ...version } = onDisk(desired);
  const common = { lineage, identifiers, because: order.because, ...version };
  // Another order has spent the last one while this one waited for its turn; nothing has been tried.
  if (thrown instanceof BudgetExceededError && !(await hasStarted(parts, context))) {
    return { ...common, outcome: "held", failure: toFailure(thrown), nextAt: thrown.until };
  }
  // Another sidecar acts on this folder: nothing is written down in it.
  if (thrown instanceof MayNotActError) {
    log.error("lineage.failed", { lineage, ...toFailure(thrown) });
    return { ...common, outcome: "failed", failure: toFailure(thrown) };
  }
  const { origin, code, retry } = asOperatorError(thrown);
  // Fetched again it would be the same.
  if (code === "ISSUED_CERTIFICATE_UNUSABLE") await forgetOrder(parts, context);
  const isForAll = typeof retry === "object" && retry.isOurs;
  if (isForAll || ["ca-unreachable", "proxy"].includes(origin)) parts.probes.noteVain(order.directoryUrl, thrown);
  await recordRefusal(parts, context, thrown);
  const told = desired.isUnnamed ? ofUnnamed(lineage, thrown) : thrown;
  return { ...common, outcome: "failed", ...(await recordFailure(parts, context, told)) };
}

function tellExceptions({ policy }: StepParts, { desired, order, log }: IssueContext): void {
  const { lineage } = desired;
  const { directoryUrl: ca, overridden } = order;
  if (ca === policy.fallbackDirectoryUrl) log.warn("ca.fallback-chosen", { lineage, ca, instead: policy.directoryUrl });
  if (overridden !== undefined) log.warn("limit.overridden", { lineage, ca, limit: overridden });
}

/** Rehearses the order: a throw-away key and account, at the CA's staging where it has one; nothing is kept. */
export async function rehearse(parts: StepParts, context: Omit<IssueContext, "order">): Promise<CertificateReport> {
  const { desired, log, signal } = context;
  const common = onDisk(desired);
  const { directoryUrl } = desired.settings;
  const rehearsalUrl = parts.policy.stagingOf(directoryUrl) ?? directoryUrl;
  try {
    const asked = activeWait(await parts.ledgers.read(rehearsalUrl), desired, parts.clock.now());
    if (asked) return { ...common, outcome: "failed", failure: asked.failure, nextAt: new Date(asked.until) };
    await parts.ca.issue({ ...requestFor(parts, desired, rehearsalUrl), account: "throw-away" }, log, signal);
    log.info("rehearsal.passed", { lineage: desired.lineage, directory: rehearsalUrl });
    return { ...common, outcome: "rehearsed" };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const failure = toFailure(thrown);
    log.error("lineage.failed", { lineage: desired.lineage, rehearsal: true, ...failure });
    return { ...common, outcome: "failed", failure };
  }
}

async function toRequest(parts: StepParts, { desired, order }: IssueContext): Promise<IssueRequest> {
  return {
    ...requestFor(parts, desired, order.directoryUrl),
    privateKeyPem: await keyToReuse(parts, desired),
    replaces: predecessorAt(desired, order.directoryUrl),
  };
}

function requestFor({ policy }: StepParts, desired: DesiredCertificate, directoryUrl: string): IssueRequest {
  const { lineage, identifiers } = desired;
  const { accountId, autorenew, renewBeforeMs, unsupported, reuseKey, ...order } = desired.settings;
  const { profile } = order;
  const isFallback = directoryUrl === policy.fallbackDirectoryUrl;
  return {
    ...order,
    lineage,
    identifiers,
    directoryUrl,
    // An account of one CA is unknown at another.
    accountId: directoryUrl === order.directoryUrl ? accountId : undefined,
    email: policy.email,
    externalAccount: isFallback ? policy.fallbackExternalAccount : policy.externalAccount,
    // A fallback CA is there to keep the site up: what only the first one offers must not stop it.
    profile: profile && { ...profile, isRequired: profile.isRequired && !isFallback },
    account: "stored",
  };
}

// A key of another kind than is wanted now is not used again.
async function keyToReuse(parts: StepParts, { lineage, settings, current, currentKeyType }: DesiredCertificate) {
  if (!settings.reuseKey || !current || currentKeyType !== settings.keyType) return undefined;
  return parts.store.privateKey(lineage, current.version);
}

// RFC 9773 §5: a predecessor is the same CA's, and shares a name.
function predecessorAt({ current, currentDirectoryUrl, identifiers }: DesiredCertificate, directoryUrl: string) {
  if (!current || currentDirectoryUrl !== directoryUrl) return undefined;
  const before = new Set(current.leaf.identifiers.map(identifierKey));
  return identifiers.some((one) => before.has(identifierKey(one))) ? current.leaf.certificateId : undefined;
}

async function install(parts: StepParts, context: IssueContext, issued: IssuedCertificate): Promise<LineageVersion> {
  const { desired, order } = context;
  const { lineage, identifiers } = desired;
  const settings = { ...desired.settings, directoryUrl: order.directoryUrl, accountId: issued.accountId };
  try {
    return await parts.store.install({ lineage, identifiers, issued, settings }, parts.clock.now());
  } catch (thrown) {
    await keepSigned(parts, context).catch(unsavedBy(context));
    throw thrown;
  }
}
