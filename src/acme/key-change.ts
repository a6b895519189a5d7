import type { Account, AccountStore, KeyChange } from "../reconcile/index.ts";
import { PlainError } from "../certificate/index.ts";
import { newAccountKey, signKeyChange } from "./account-key.ts";
import type { Ca } from "./ca.ts";
import { connect, type ConnectionOptions } from "./connection.ts";
import { problemName } from "./failures/problem.ts";
import { ProblemError } from "./failures/problem-errors.ts";
import { isCaFailing } from "./failures/problem-meanings.ts";
import { showDirectory } from "./repeat.ts";

/** One CA and the accounts we have there. */
export type AccountPlace = { readonly ca: Ca; readonly accounts: AccountStore };

/**
 * Brings changes of keys that died on their way to an end: finishes those that the CA has made, forgets those that it hasn't.
 * Gives the finished ones. Asks nothing where nothing died. Throws OperatorError or the signal's reason.
 */
export async function settleKeyChanges(place: AccountPlace, options: ConnectionOptions): Promise<readonly KeyChange[]> {
  const finished: KeyChange[] = [];
  for (const change of await place.accounts.pendingKeyChanges(place.ca.directoryUrl)) {
    const isMade = await isMadeAtCa(place.ca, change, options);
    if (isMade === false) await place.accounts.dropKeyChange(place.ca.directoryUrl, change);
    if (isMade !== true) continue;
    await finish(place, change, options);
    finished.push(change);
  }
  return finished;
}

/**
 * Gives an account a new key (RFC 8555 §7.3.5): keeps it, asks the CA, then makes it the account's on disk. Throws OperatorError
 * or the signal's reason; the change is pending then unless the CA has clearly refused it, see {@link settleKeyChanges}.
 */
export async function changeKey(place: AccountPlace, account: Account, options: ConnectionOptions): Promise<KeyChange> {
  const { ca, accounts } = place;
  const { keyChange } = await showDirectory(ca, options);
  if (keyChange === undefined) throw keyChangeNotOffered(ca.directoryUrl);
  const change = await prepare(place, account);
  const connection = await connect(ca, account, options);
  const request = await signKeyChange(keyChange, account, change.account.privateKeyPem);
  try {
    await connection.post(`give the account ${account.url} a new key`, keyChange, request);
  } catch (error) {
    options.signal.throwIfAborted();
    // When only the answer was lost, the repeat is signed by a key that the CA no longer knows.
    const isMade = await isMadeAtCa(ca, change, options).catch(() => undefined);
    const isRefused = error instanceof ProblemError && !isCaFailing(error.problem);
    if (isMade === false && isRefused) await accounts.dropKeyChange(ca.directoryUrl, change);
    if (isMade !== true) throw error;
  }
  await finish(place, change, options);
  return change;
}

function keyChangeNotOffered(directoryUrl: string): PlainError {
  return new PlainError({
    // The CA's directory has no place to ask for a new account key (RFC 8555 §7.3.5). The old one stays in use.
    code: "ACME_KEY_CHANGE_NOT_OFFERED",
    origin: "ca-refused",
    message: `No key was changed: the directory ${directoryUrl} has no keyChange`,
    remedy:
      "Keep the key; or move the account's folder out of /etc/letsencrypt/accounts and run update-cert, which registers another.",
  });
}

// A key of which the CA may have heard is used again: while it is pending, it may become the account's at any moment.
async function prepare({ ca, accounts }: AccountPlace, account: Account): Promise<KeyChange> {
  const pending = await accounts.pendingKeyChanges(ca.directoryUrl);
  const known = pending.find(({ previousId }) => previousId === account.id);
  if (known !== undefined) return known;
  const change = { previousId: account.id, account: { ...(await newAccountKey()), url: account.url } };
  await accounts.prepareKeyChange(ca.directoryUrl, change);
  return change;
}

async function finish({ ca, accounts }: AccountPlace, change: KeyChange, { log }: ConnectionOptions): Promise<void> {
  await accounts.finishKeyChange(ca.directoryUrl, change);
  const { previousId, account } = change;
  log.info("account.key-changed", { ca: ca.directoryUrl, account: account.url, previousId, accountId: account.id });
}

/** How CAs refuse a request that a key signed which isn't the account's; RFC 8555 names no type for it. */
const KEY_REFUSALS: readonly string[] = ["accountDoesNotExist", "malformed", "unauthorized"];

/** Whether an error says that the key, or the account, is none that the CA takes. */
export function isKeyRefusal(error: unknown): error is ProblemError {
  return error instanceof ProblemError && KEY_REFUSALS.includes(problemName(error.problem));
}

/** Whether the new key is the account's already; undefined when the CA's answer leaves that open. */
async function isMadeAtCa(ca: Ca, { account }: KeyChange, options: ConnectionOptions): Promise<boolean | undefined> {
  const connection = await connect(ca, account, options);
  try {
    await connection.post("show the account", account.url, null);
    return true;
  } catch (error) {
    if (isKeyRefusal(error)) return false;
    if (error instanceof ProblemError && !isCaFailing(error.problem)) return undefined;
    throw error;
  }
}
