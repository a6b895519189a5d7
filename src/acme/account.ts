import { createHash, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Account, AccountStore, IssueRequest } from "../reconcile/index.ts";
import type { Ca } from "./ca.ts";
import { connect, type Connection, type ConnectionOptions } from "./connection.ts";
import { UnexpectedAnswerError } from "./connection-errors.ts";
import { ACME_ERROR, isRecord } from "./problem.ts";
import { ProblemError } from "./problem-errors.ts";

const generate = promisify(generateKeyPair);

/** Whose account is wanted: the parts of an IssueRequest that decide it. */
export type AccountRequest = Pick<IssueRequest, "directoryUrl" | "accountId" | "email" | "account">;

/** Finds the account for an order, and makes one where there is none. Parallel calls at one CA register once. */
export type AccountDesk = {
  /** Throws OperatorError or the signal's reason. A new account is kept durably before it is given. */
  open(request: AccountRequest, options: ConnectionOptions): Promise<Account>;
  /** Sets aside an account that the CA no longer takes, and opens another. */
  replace(refused: Account, request: AccountRequest, options: ConnectionOptions): Promise<Account>;
};

/** Makes the desk of one CA; it lives as long as the process. */
export function createAccountDesk(ca: Ca, accounts: AccountStore): AccountDesk {
  // A key that the CA may know and the disk doesn't: a repeat uses it again instead of leaving one more account behind.
  let unsavedKey: string | undefined;
  let throwAway: Account | undefined;
  const inTurn = createTurns();

  const registerStored = async (request: AccountRequest, options: ConnectionOptions) => {
    unsavedKey ??= await newAccountKey();
    const account = await register(ca, unsavedKey, request, options);
    await accounts.save(ca.directoryUrl, account, { email: request.email, createdAt: ca.clock.now() });
    unsavedKey = undefined;
    return account;
  };

  const openNow = async (request: AccountRequest, options: ConnectionOptions): Promise<Account> => {
    options.signal.throwIfAborted();
    if (request.account === "stored") {
      return (await accounts.find(ca.directoryUrl, request.accountId)) ?? (await registerStored(request, options));
    }
    throwAway ??= await register(ca, await newAccountKey(), request, options);
    return throwAway;
  };

  return {
    open: (request, options) => inTurn(() => openNow(request, options)),
    replace: (refused, request, options) =>
      inTurn(async () => {
        if (throwAway?.id === refused.id) throwAway = undefined;
        const current = request.account === "stored" ? await accounts.find(ca.directoryUrl, refused.id) : undefined;
        // Another order may have met the same refusal while this one waited for its turn.
        if (current?.id === refused.id) await accounts.setAside(ca.directoryUrl, refused.id);
        const account = await openNow(request, options);
        options.log.warn("account.replaced", { ca: ca.directoryUrl, refused: refused.url, account: account.url });
        return account;
      }),
  };
}

/**
 * Whether `error` says that the CA no longer takes this account. It has two ways to say so: the account doesn't exist, or
 * "unauthorized", which can mean other things too; so the account itself is asked for then.
 */
export async function isAccountRefused(error: unknown, account: Account, connection: Connection): Promise<boolean> {
  if (!(error instanceof ProblemError)) return false;
  if (error.problem.type === `${ACME_ERROR}accountDoesNotExist`) return true;
  if (error.problem.type !== `${ACME_ERROR}unauthorized`) return false;
  try {
    const { data } = await connection.post("show the account", account.url, null);
    return isRecord(data) && data["status"] !== "valid";
  } catch (refusal) {
    if (refusal instanceof ProblemError) return true;
    throw refusal;
  }
}

/** certbot's name for an account: the MD5 of its public key as PEM (SubjectPublicKeyInfo), in hex. It guards nothing. */
export function accountId(privateKeyPem: string): string {
  const publicKeyPem = createPublicKey(privateKeyPem).export({ type: "spki", format: "pem" });
  return createHash("md5").update(publicKeyPem).digest("hex");
}

async function newAccountKey(): Promise<string> {
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

// RFC 8555 §7.3. With a key that the CA knows already it answers 200 and that account: a repeat is harmless.
async function register(ca: Ca, privateKeyPem: string, request: AccountRequest, options: ConnectionOptions) {
  const connection = await connect(ca, { privateKeyPem }, options);
  const answer = await connection.post("register an account", (directory) => directory.newAccount, {
    termsOfServiceAgreed: true,
    ...(request.email === undefined ? {} : { contact: [`mailto:${request.email}`] }),
  });
  if (answer.location === undefined) {
    throw new UnexpectedAnswerError(answer.url, "a new account without its URL (Location)");
  }
  const account: Account = { id: accountId(privateKeyPem), privateKeyPem, url: answer.location };
  // A throw-away account is nothing that an operator has.
  if (request.account === "stored") {
    options.log.info("account.registered", { ca: ca.directoryUrl, account: account.url });
  }
  return account;
}

/** Gives a function that runs what it is given one after the other. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const mine = last.then(act, act);
    last = mine;
    return mine;
  };
}
