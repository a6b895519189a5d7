import { exactSetKey, planRenewal, sameIdentifiers } from "../../certificate/index.ts";
import { directoriesOf } from "./decision.ts";
import type { DesiredCertificate } from "./desired.ts";
import type { IssueFacts } from "./facts.ts";
import { findOpenOrder } from "./open-order.ts";
import { findPutBack, type KnownCertificate } from "./put-back.ts";
import type { Run, StepParts } from "../run.ts";
import { attemptsOf, type Attempts } from "../tries.ts";

/** What a decision on one certificate looks at, read from disk; it may be about the names on disk. Throws OperatorError. */
export async function gatherFacts(
  parts: Pick<StepParts, "store" | "ledgers" | "storage" | "policy" | "clock">,
  { request, signal }: Pick<Run, "request" | "signal">,
  { desired: asked, state }: KnownCertificate,
): Promise<IssueFacts> {
  const { policy } = parts;
  const { renewalInfo } = state;
  const attempts = attemptsOf(state.tries);
  const desired = isOldSetsTurn(asked, attempts, parts.clock.now()) ? withOldNames(asked) : asked;
  const directories = directoriesOf({ desired, attempts, policy });
  const ledgers = await Promise.all(directories.map((directoryUrl) => parts.ledgers.read(directoryUrl)));
  const ledgerOf = (directoryUrl: string) => {
    const ledger = ledgers[directories.indexOf(directoryUrl)];
    if (!ledger) throw new Error(`no ledger of ${directoryUrl} was read`);
    return ledger;
  };
  const storage = await parts.storage.inspect(signal);
  const paidAt = await whereOpen(parts, { desired, attempts, isForced: request.isForced });
  const putBack = await findPutBack(parts, { desired, state });
  const now = parts.clock.now();
  return { desired, attempts, renewalInfo, ledgerOf, paidAt, putBack, storage, policy, request, now };
}

type Open = Pick<IssueFacts, "desired" | "attempts"> & { readonly isForced: boolean };

// Only a try that has not succeeded leaves one that is worth looking for.
async function whereOpen(parts: Pick<StepParts, "store" | "clock">, { desired, attempts, isForced }: Open) {
  if (attempts.failures === 0 || isForced) return undefined;
  return (await findOpenOrder(parts, desired))?.directoryUrl;
}

/**
 * Whether it is the turn of the names on disk: other names are wanted, the last order for them failed, and what is served
 * comes to its end. A name that can't be had must not take those down that can.
 */
function isOldSetsTurn({ current, identifiers, settings }: DesiredCertificate, attempts: Attempts, now: Date): boolean {
  const { failures, lastNames } = attempts;
  if (!current || failures === 0 || sameIdentifiers(current.leaf.identifiers, identifiers)) return false;
  const { renewBeforeMs } = settings;
  const isDue = planRenewal({ validity: current.leaf.validity, renewBeforeMs }, now).kind === "due";
  return isDue && lastNames === exactSetKey(identifiers);
}

function withOldNames(desired: DesiredCertificate): DesiredCertificate {
  return { ...desired, identifiers: desired.current?.leaf.identifiers ?? desired.identifiers };
}
