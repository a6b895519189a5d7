import { asOperatorError, type Identifier } from "../certificate/index.ts";
import type {
  Account,
  AccountStore,
  CertificateAuthority,
  ChallengeSolver,
  Clock,
  CollectRequest,
  IssuedCertificate,
  IssueRequest,
  Log,
  OpenOrder,
} from "../reconcile/index.ts";
import { type AccountDesk, createAccountDesk, isAccountRefused, type Replacement } from "./account.ts";
import { askNonce, type Ca, createCa } from "./ca.ts";
import { type CaaLookup, showCaa } from "./caa.ts";
import { watchCaClock } from "./ca-clock.ts";
import { connect } from "./connection.ts";
import { deactivateAuthorizations } from "./deactivate.ts";
import { placeOrder } from "./new-order.ts";
import { completeOrder, resumeOrder } from "./order.ts";
import { chooseExtras, type OrderExtras } from "./order-extras.ts";
import type { OrderStory, PlacedOrder } from "./order-story.ts";
import type { Patience } from "./poll.ts";
import { askRenewalInfo } from "./renewal-info.ts";
import { readReusableKey } from "./signing-request.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";

/** What a CertificateAuthority is made of. */
export type CertificateAuthorityParts = Omit<TransportOptions, "requestTimeoutMs"> & {
  readonly accounts: AccountStore;
  /** How to prove control of a name; asked once for each authorization that isn't valid yet. */
  readonly solverFor: (identifier: Identifier) => ChallengeSolver;
  readonly clock: Clock;
  /** How to show an operator the CAA records that a CA refuses for; the machine's own DNS when left out. */
  readonly lookUpCaa?: CaaLookup | undefined;
  /** Takes the place of the network, for a CA in the same process; then the other ways to reach CAs mean nothing. */
  readonly transport?: Transport | undefined;
  /** For one request and its reply; 30 s when left out. */
  readonly requestTimeoutMs?: number | undefined;
  /** For the CA's decisions on one order; 5 min when left out. */
  readonly orderTimeoutMs?: number | undefined;
};

const REQUEST_TIMEOUT_MS = 30_000;
const ORDER_TIMEOUT_MS = 5 * 60_000;
const LOOK_TIMEOUT_MS = 10_000;

/**
 * Makes the way to get certificates over ACME (RFC 8555). Directories, nonces and throw-away accounts are kept for as
 * long as the result lives: make one for a process. Throws CaBundleUnreadableError when `caBundlePem` is no PEM.
 */
export function createCertificateAuthority(parts: CertificateAuthorityParts): CertificateAuthority {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, clock } = parts;
  const watch = watchCaClock(parts.transport ?? createTransport({ ...parts, requestTimeoutMs }), clock);
  const offices = new Map<string, Office>();
  const officeAt = (directoryUrl: string): Office => {
    const known = offices.get(directoryUrl);
    if (known !== undefined) return known;
    const ca = createCa(directoryUrl, watch.transport, clock);
    const office = { ca, desk: createAccountDesk(ca, parts.accounts) };
    offices.set(directoryUrl, office);
    return office;
  };
  return {
    issue: (request, log, signal) => {
      const office = officeAt(request.directoryUrl);
      return explained(office, parts, { request, log, signal }, issue);
    },
    collect: (open, request, log, signal) => {
      const office = officeAt(request.directoryUrl);
      return explained(office, parts, { request, log, signal }, (...call) => collect(...call, open));
    },
    renewalInfo: (directoryUrl, certificateId, signal) =>
      askRenewalInfo(officeAt(directoryUrl).ca, certificateId, signal),
    isAnswering: (directoryUrl, signal) => isAnswering(officeAt(directoryUrl).ca, signal),
    clockAheadMs: () => watch.aheadMs(),
    changeAccountKey: async (choice, log, signal) => {
      const { ca, desk } = officeAt(choice.directoryUrl);
      try {
        return await desk.changeKey(choice, { log, signal });
      } catch (error) {
        ca.forgetDirectory();
        signal.throwIfAborted();
        throw asOperatorError(error);
      }
    },
  };
}

async function explained<Request extends IssueRequest, Result>(
  office: Office,
  parts: CertificateAuthorityParts,
  call: Call<Request>,
  work: (office: Office, parts: CertificateAuthorityParts, call: Call<Request>) => Promise<Result>,
): Promise<Result> {
  const { request, signal } = call;
  try {
    return await work(office, parts, call);
  } catch (error) {
    // What went wrong may have been an address that is no longer right.
    office.ca.forgetDirectory();
    signal.throwIfAborted();
    const { identifiers } = request;
    throw await showCaa(asOperatorError(error), { identifiers, lookUp: parts.lookUpCaa, signal });
  }
}

async function isAnswering(ca: Ca, signal: AbortSignal): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]);
  try {
    await ca.directory(limited, { isAnew: true });
    ca.nonces.put(await askNonce(ca, limited));
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

type Office = { readonly ca: Ca; readonly desk: AccountDesk };
type Call<Request = IssueRequest> = { readonly request: Request; readonly log: Log; readonly signal: AbortSignal };
type OrderCall = Call & { readonly extras: OrderExtras };

async function issue(office: Office, parts: CertificateAuthorityParts, call: Call): Promise<IssuedCertificate> {
  // What makes an order pointless is found out before there is one.
  const key = readReusableKey(call.request);
  const extras = await chooseExtras(office.ca, call.request, call);
  const { account, order, story } = await placeWithAccount(office, parts, { ...call, extras });
  try {
    return { ...(await completeOrder(story, order, key)), accountId: account.id };
  } finally {
    // A rehearsal must prove its names each time; an authorization that stayed valid would spare the next one the trouble.
    if (call.request.account === "throw-away") await deactivateAuthorizations(story, order.authorizations);
  }
}

async function collect(
  office: Office,
  parts: CertificateAuthorityParts,
  call: Call<CollectRequest>,
  open: OpenOrder,
): Promise<IssuedCertificate | undefined> {
  const account = await office.desk.open(call.request, call);
  const patience = patienceOf(parts, call.signal);
  const story = await tellStory(office, parts, { ...call, extras: {}, patience }, account);
  const collected = await resumeOrder(story, open, call.request);
  return collected && { ...collected, accountId: account.id };
}

/** Places the order, with another account when the CA no longer takes the one we have; a new one is the last. */
async function placeWithAccount(office: Office, parts: CertificateAuthorityParts, call: OrderCall) {
  let { account, isNew }: Replacement = { account: await office.desk.open(call.request, call), isNew: false };
  // One for the whole order, though it may take another account.
  const patience = patienceOf(parts, call.signal);
  for (;;) {
    const story = await tellStory(office, parts, { ...call, patience }, account);
    try {
      const order: PlacedOrder = await placeOrder(story);
      return { account, story, order };
    } catch (error) {
      if (isNew || !(await isAccountRefused(error, account, story.connection))) throw error;
    }
    ({ account, isNew } = await office.desk.replace(account, call.request, call));
  }
}

function patienceOf(
  { clock, orderTimeoutMs: timeoutMs = ORDER_TIMEOUT_MS }: CertificateAuthorityParts,
  signal: AbortSignal,
): Patience {
  return { clock, signal, deadlineAt: new Date(clock.now().getTime() + timeoutMs), timeoutMs };
}

async function tellStory(
  { ca }: Office,
  { solverFor }: CertificateAuthorityParts,
  { request, extras, patience, log, signal }: OrderCall & { readonly patience: Patience },
  account: Account,
): Promise<OrderStory> {
  const options = { log, identifiers: request.identifiers };
  const reconnect = (signal: AbortSignal) => connect(ca, account, { ...options, signal });
  const connection = await connect(ca, account, { ...options, signal, patience });
  return { request, extras, connection, reconnect, solverFor, patience, log };
}
