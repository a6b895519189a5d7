import { asOperatorError, type ChallengeUse, type Identifier } from "../certificate/index.ts";
import type { CaaLookup, ChallengeSolver, Clock, HttpExchange, Log } from "../ports/index.ts";
import type {
  Account,
  AccountStore,
  CertificateAuthority,
  CollectRequest,
  IssuedCertificate,
  IssueRequest,
  OpenOrder,
} from "../reconcile/index.ts";
import { AccountClient, isAccountRefused, type Replacement } from "./account.ts";
import { askNonce, type Ca, createCa, keepNonce } from "./ca.ts";
import { showCaa } from "./caa.ts";
import { watchCaClock } from "./ca-clock.ts";
import { connect } from "./connection.ts";
import { deactivateAuthorizations } from "./deactivate.ts";
import { placeOrder } from "./new-order.ts";
import { completeOrder, resumeOrder } from "./order.ts";
import { chooseExtras, type OrderExtras } from "./order-extras.ts";
import type { OrderContext } from "./order-context.ts";
import type { Deadline } from "./poll.ts";
import { askRenewalInfo } from "./renewal-info.ts";
import { readReusableKey } from "./signing-request.ts";
import { createTransport } from "./transport.ts";

/** What a CertificateAuthority is made of. */
export type CertificateAuthorityParts = {
  /** The network, or a CA in the same process. */
  readonly http: HttpExchange;
  readonly accounts: AccountStore;
  /** How to prove control of a name; asked once for each authorization that isn't valid yet. */
  readonly solverFor: (challenges: readonly ChallengeUse[], identifier: Identifier) => ChallengeSolver;
  readonly clock: Clock;
  /** How to show an operator the CAA records that a CA refuses for. */
  readonly lookUpCaa: CaaLookup;
  /** For one request and its reply; 30 s when left out. */
  readonly requestTimeoutMs?: number | undefined;
  /** For the CA's decisions on one order; 5 min when left out. */
  readonly orderTimeoutMs?: number | undefined;
};

const REQUEST_TIMEOUT_MS = 30_000;
const ORDER_TIMEOUT_MS = 5 * 60_000;
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Makes the way to get certificates over ACME (RFC 8555). Directories, nonces and throw-away accounts are kept for as
 * long as the result lives: make one for a process.
 */
export function createCertificateAuthority(parts: CertificateAuthorityParts): CertificateAuthority {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, clock } = parts;
  const watch = watchCaClock(createTransport(parts.http, requestTimeoutMs), clock);
  const sessions = new Map<string, CaSession>();
  const sessionAt = (directoryUrl: string): CaSession => {
    const known = sessions.get(directoryUrl);
    if (known !== undefined) return known;
    const ca = createCa(directoryUrl, watch.transport, clock);
    const session = { ca, accounts: new AccountClient(ca, parts.accounts), parts };
    sessions.set(directoryUrl, session);
    return session;
  };
  return {
    issue: (request, log, signal) =>
      explained({ session: sessionAt(request.directoryUrl), request, log, signal }, issue),
    collect: (open, request, log, signal) => {
      const call = { session: sessionAt(request.directoryUrl), request, log, signal };
      return explained(call, () => collect(call, open));
    },
    renewalInfo: (directoryUrl, certificateId, signal) =>
      askRenewalInfo(sessionAt(directoryUrl).ca, certificateId, signal),
    isAnswering: (directoryUrl, signal) => isAnswering(sessionAt(directoryUrl).ca, signal),
    clockAheadMs: () => watch.aheadMs(),
    openAccount: (request, log, signal) =>
      withAccounts(sessionAt(request.directoryUrl), signal, async (accounts) => {
        await accounts.open({ ...request, account: "stored" }, { log, signal });
      }),
    changeAccountKey: (choice, log, signal) =>
      withAccounts(sessionAt(choice.directoryUrl), signal, (accounts) => accounts.changeKey(choice, { log, signal })),
  };
}

async function withAccounts<Result>(
  { ca, accounts }: CaSession,
  signal: AbortSignal,
  work: (accounts: AccountClient) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(accounts);
  } catch (error) {
    ca.forgetDirectory();
    signal.throwIfAborted();
    throw asOperatorError(error);
  }
}

/** One CA, our accounts there, and what its orders are made with. */
type CaSession = { readonly ca: Ca; readonly accounts: AccountClient; readonly parts: CertificateAuthorityParts };
type Call<Request = IssueRequest> = {
  readonly session: CaSession;
  readonly request: Request;
  readonly log: Log;
  readonly signal: AbortSignal;
};
type OrderCall = Call & { readonly extras: OrderExtras };

async function explained<Result>(call: Call, work: (call: Call) => Promise<Result>): Promise<Result> {
  const { session, request, signal } = call;
  try {
    return await work(call);
  } catch (error) {
    // What went wrong may have been an address that is no longer right.
    session.ca.forgetDirectory();
    signal.throwIfAborted();
    const { identifiers } = request;
    throw await showCaa(asOperatorError(error), { identifiers, lookUp: session.parts.lookUpCaa, signal });
  }
}

async function isAnswering(ca: Ca, signal: AbortSignal): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
  try {
    ca.forgetDirectory();
    keepNonce(ca, await askNonce(ca, limited));
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function issue(call: Call): Promise<IssuedCertificate> {
  // What makes an order pointless is found out before there is one.
  const key = readReusableKey(call.request);
  const extras = await chooseExtras(call.session.ca, call.request, call);
  const { account, order, context } = await placeWithAccount({ ...call, extras });
  try {
    return { ...(await completeOrder(context, order, key)), accountId: account.id };
  } finally {
    // A rehearsal must prove its names each time; an authorization that stayed valid would spare the next one the trouble.
    if (call.request.account === "throw-away") await deactivateAuthorizations(context, order.authorizations);
  }
}

async function collect(call: Call<CollectRequest>, open: OpenOrder): Promise<IssuedCertificate | undefined> {
  const account = await call.session.accounts.open(call.request, call);
  const context = await contextOf({ ...call, extras: {}, deadline: deadlineOf(call) }, account);
  const collected = await resumeOrder(context, open, call.request);
  return collected && { ...collected, accountId: account.id };
}

/** Places the order, with another account when the CA no longer takes the one we have; a new one is the last. */
async function placeWithAccount(call: OrderCall) {
  const { accounts } = call.session;
  let { account, isNew }: Replacement = { account: await accounts.open(call.request, call), isNew: false };
  // One for the whole order, though it may take another account.
  const deadline = deadlineOf(call);
  for (;;) {
    const context = await contextOf({ ...call, deadline }, account);
    try {
      return { account, context, order: await placeOrder(context) };
    } catch (error) {
      if (isNew || !(await isAccountRefused(error, account, context.connection))) throw error;
    }
    ({ account, isNew } = await accounts.replace(account, call.request, call));
  }
}

function deadlineOf({ session, signal }: Call): Deadline {
  const { clock, orderTimeoutMs: timeoutMs = ORDER_TIMEOUT_MS } = session.parts;
  return { clock, signal, deadlineAt: new Date(clock.now().getTime() + timeoutMs), timeoutMs };
}

async function contextOf(
  { session, request, extras, deadline, log, signal }: OrderCall & { readonly deadline: Deadline },
  account: Account,
): Promise<OrderContext> {
  const { ca, parts } = session;
  const options = { log, identifiers: request.identifiers };
  const reconnect = (signal: AbortSignal) => connect(ca, account, { ...options, signal });
  const connection = await connect(ca, account, { ...options, signal, deadline });
  const solverFor = (identifier: Identifier) => parts.solverFor(request.challenges, identifier);
  return { request, extras, connection, reconnect, solverFor, deadline, log };
}
