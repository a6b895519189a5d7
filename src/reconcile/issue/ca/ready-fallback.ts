import { asOperatorError, toFailure, type Failure, type OperatorError } from "../../../certificate/index.ts";
import type { Policy } from "../../policy.ts";
import type { Run, StepParts } from "../../run.ts";
import type { CaLedger, CaLedgers, Readied } from "./ledger.ts";
import { activeWait, withPatience } from "./wait.ts";

const TRY_AGAIN_MS = 24 * 3600_000;

/**
 * Registers our account at the fallback CA when it is configured: credentials that are wrong or have expired must be told
 * while the first CA is well. One try for these settings, then one a day, and after a refusal one for each explicit command;
 * a try is written down before it is made. Gives why there is none, as {@link fallbackFailure}. Never throws, except the
 * signal's reason.
 */
export async function readyFallback(parts: StepParts, run: Run): Promise<Failure | undefined> {
  const { policy, ledgers } = parts;
  const { fallbackDirectoryUrl: directoryUrl } = policy;
  if (directoryUrl === undefined) return undefined;
  try {
    if (await isTurn(parts, run, directoryUrl)) await tryAccount(parts, run, directoryUrl);
    return await fallbackFailure(ledgers, policy);
  } catch (thrown) {
    run.signal.throwIfAborted();
    run.log.error("account.unavailable", { ca: directoryUrl, ...toFailure(thrown) });
    return undefined;
  }
}

async function tryAccount({ policy, ledgers, ca, clock }: StepParts, { log, signal }: Run, directoryUrl: string) {
  const { fallbackExternalAccount: externalAccount, email, settingsDigest } = policy;
  const tried = { triedAt: clock.now().toISOString(), settingsDigest };
  const write = (readied: Readied, thrown?: OperatorError) =>
    ledgers.update(directoryUrl, (ledger) =>
      withPatience({ ...ledger, readied }, { identifiers: [], settingsDigest }, { thrown, now: clock.now() }),
    );
  await write(tried);
  const failure = await ca
    .openAccount({ directoryUrl, email, externalAccount }, log, signal)
    .catch((thrown: unknown) => {
      signal.throwIfAborted();
      log.warn("account.unavailable", { ca: directoryUrl, ...toFailure(thrown) });
      return asOperatorError(thrown);
    });
  if (failure === undefined) await write({ ...tried, isReady: true });
  else if (isOperators(failure)) await write({ ...tried, failure: toFailure(failure) }, failure);
}

// A CA that is down or fails comes back by itself, and of a proxy its own CA's orders tell.
function isOperators({ origin }: OperatorError): boolean {
  return !["ca-unreachable", "ca-failing", "proxy"].includes(origin);
}

async function isTurn(parts: StepParts, { request, signal }: Run, directoryUrl: string): Promise<boolean> {
  const { policy, clock, storage, mayAct } = parts;
  if (policy.isRehearsalOnly || policy.areOrdersInDoubt || request.only !== undefined) return false;
  const ledger = await parts.ledgers.read(directoryUrl);
  const readied = readiedFor(ledger, policy);
  const waitedMs = readied ? clock.now().getTime() - new Date(readied.triedAt).getTime() : Number.POSITIVE_INFINITY;
  const isMended = request.trigger === "command" && readied?.failure !== undefined;
  // A try in the future was written by a clock that has been set back since.
  const isWaiting = waitedMs >= 0 && waitedMs < TRY_AGAIN_MS && !isMended;
  if (readied?.isReady || isWaiting) return false;
  // An order has been refused an account today, or the CA asks for patience.
  const settingsDigest = request.trigger === "command" ? undefined : policy.settingsDigest;
  if (activeWait(ledger, { identifiers: [], settingsDigest }, clock.now())) return false;
  // An account that goes with the container would be another one after each start.
  if (policy.isPublicCa(directoryUrl) && (await storage.inspect(signal)).kind !== "lasting") return false;
  return mayAct();
}

function readiedFor({ readied }: CaLedger, { settingsDigest }: Pick<Policy, "settingsDigest">): Readied | undefined {
  return readied?.settingsDigest === settingsDigest ? readied : undefined;
}

/** Why there is no account at the fallback CA, where an operator has to mend that. Throws OperatorError of the disk. */
export async function fallbackFailure(ledgers: CaLedgers, policy: Policy): Promise<Failure | undefined> {
  const { fallbackDirectoryUrl: directoryUrl } = policy;
  if (directoryUrl === undefined) return undefined;
  const failure = readiedFor(await ledgers.read(directoryUrl), policy)?.failure;
  const message = `the account at the fallback CA ${directoryUrl} can't be had: ${failure?.message}`;
  return failure && { ...failure, message };
}
