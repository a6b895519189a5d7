import type { Account, AccountKey, ExternalAccount, IssueRequest } from "../reconcile/index.ts";
import { OperatorError, PlainError, wordsOf } from "../certificate/index.ts";
import { signExternalAccount } from "./account-key.ts";
import type { Ca } from "./ca.ts";
import { type Answer, connect, type ConnectionOptions } from "./connection.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { problemName } from "./failures/problem.ts";
import { EXTERNAL_ACCOUNT_REQUIRED } from "./failures/problem-meanings.ts";
import { ProblemError } from "./failures/problem-errors.ts";
import { showDirectory } from "./repeat.ts";

/** What a registration says of us, and what it is for. */
export type RegistrationRequest = Pick<IssueRequest, "directoryUrl" | "email" | "account" | "externalAccount">;

/**
 * Registers an account (RFC 8555 §7.3). With a key that the CA knows already it answers 200 and that account: a repeat is
 * harmless. `takeKey` is called once it is sure that the CA can be asked. Throws OperatorError or the signal's reason.
 */
export async function register(
  ca: Ca,
  takeKey: () => Promise<AccountKey>,
  { request, ...options }: ConnectionOptions & { readonly request: RegistrationRequest },
): Promise<Account> {
  const { newAccount, externalAccountRequired } = await showDirectory(ca, options);
  // Sent only where it is required: the settings may be meant for another CA than this one, as for the first of two.
  const external = externalAccountRequired ? externalAccountFor(request) : undefined;
  const key = await takeKey();
  const connection = await connect(ca, key, options);
  const contact = request.email === undefined ? {} : { contact: [`mailto:${request.email}`] };
  const send = async (bound: ExternalAccount | undefined) => {
    const binding = bound && {
      externalAccountBinding: await signExternalAccount(newAccount, key.privateKeyPem, bound),
    };
    return connection.post("register an account", newAccount, { termsOfServiceAgreed: true, ...contact, ...binding });
  };
  const answer = await apply(request, send, external).catch((refusal: unknown) => {
    throw patient(refusal, ca.clock.now());
  });
  if (answer.location === undefined) {
    throw new UnexpectedAnswerError(answer.url, "a new account without its URL (Location)");
  }
  const account: Account = { ...key, url: answer.location };
  // A throw-away account is nothing that an operator has.
  if (request.account === "stored") {
    options.log.info("account.registered", { ca: ca.directoryUrl, account: account.url });
  }
  return account;
}

function externalAccountFor({ account, externalAccount, directoryUrl }: RegistrationRequest): ExternalAccount {
  if (account === "throw-away") {
    throw new PlainError({
      // `--dry-run` would use up the external account binding at this CA: nothing was ordered. Run `update-cert` itself.
      code: "ACME_REHEARSAL_NEEDS_ACCOUNT",
      origin: "ca-refused",
      message:
        `Nothing was rehearsed at ${directoryUrl}: this CA registers a throw-away account only with an external account ` +
        "binding, which would be used up",
      remedy:
        "Run update-cert without --dry-run, which keeps the account; or rehearse at a CA with staging, like Let's Encrypt.",
    });
  }
  if (externalAccount !== undefined) return externalAccount;
  throw new PlainError({
    ...EXTERNAL_ACCOUNT_REQUIRED,
    origin: "ca-refused",
    message: `No account was registered at ${directoryUrl}: this CA requires an external account binding, and none is set`,
  });
}

// CAs count registrations, and a binding that was refused is refused again: once a day is enough, where the CA asks for nothing.
const REGISTER_EVERY_MS = 24 * 3600 * 1000;

function patient(refusal: unknown, now: Date): unknown {
  if (!isRegistrationRefusal(refusal) || refusal.retry !== "next-run") return refusal;
  const notBefore = new Date(now.getTime() + REGISTER_EVERY_MS);
  return Object.assign(refusal, { retry: { notBefore, isOurs: true } });
}

/** Whether the CA has decided against an account, rather than failed to make one. */
export function isRegistrationRefusal(thrown: unknown): thrown is OperatorError {
  return thrown instanceof OperatorError && thrown.origin === "ca-refused";
}

type Send = (external: ExternalAccount | undefined) => Promise<Answer>;

async function apply(request: RegistrationRequest, send: Send, external: ExternalAccount | undefined): Promise<Answer> {
  try {
    return await send(external);
  } catch (refusal) {
    const type = refusal instanceof ProblemError ? problemName(refusal.problem) : "";
    if (external !== undefined && BINDING_REFUSALS.includes(type)) throw bindingRefused(refusal);
    if (external !== undefined || type !== "externalAccountRequired") throw refusal;
    // The directory doesn't say so. Where nothing is set, the CA's own words say more than ours.
    if (request.account === "stored" && request.externalAccount === undefined) throw refusal;
    return apply(request, send, externalAccountFor(request));
  }
}

function bindingRefused(refusal: unknown): PlainError {
  return new PlainError({
    // The CA doesn't take the external account binding: wrong, unknown or used up. Get a fresh one from its website.
    code: "ACME_EXTERNAL_ACCOUNT_REFUSED",
    origin: "ca-refused",
    message: `${wordsOf(refusal)} (with the external account binding that is set)`,
    remedy:
      "Get a fresh key id and HMAC key from the CA's website, and set CERTBOT_EAB_KID and CERTBOT_EAB_HMAC_KEY (of a fallback " +
      "CA CERTBOT_FALLBACK_EAB_KID and CERTBOT_FALLBACK_EAB_HMAC_KEY); then run update-cert.",
    cause: refusal,
  });
}

/** How CAs refuse a binding that is wrong, unknown or used up; RFC 8555 §7.3.4 names no type for it. */
const BINDING_REFUSALS: readonly string[] = ["externalAccountRequired", "malformed", "unauthorized"];
