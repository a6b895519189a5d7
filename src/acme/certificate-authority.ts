import { asOperatorError, type Identifier } from "../certificate/index.ts";
import type {
  Account,
  AccountStore,
  CertificateAuthority,
  ChallengeSolver,
  Clock,
  IssuedCertificate,
  IssueRequest,
  Log,
} from "../reconcile/index.ts";
import { type AccountDesk, createAccountDesk, isAccountRefused } from "./account.ts";
import { type Ca, createCa } from "./ca.ts";
import { connect } from "./connection.ts";
import { deactivateAuthorizations } from "./deactivate.ts";
import { completeOrder, placeOrder } from "./order.ts";
import type { OrderStory, PlacedOrder } from "./order-story.ts";
import { createTransport, type TransportOptions } from "./transport.ts";

/** What a CertificateAuthority is made of. */
export type CertificateAuthorityParts = Omit<TransportOptions, "requestTimeoutMs"> & {
  readonly accounts: AccountStore;
  /** How to prove control of a name; asked once for each authorization that isn't valid yet. */
  readonly solverFor: (identifier: Identifier) => ChallengeSolver;
  readonly clock: Clock;
  /** For one request and its reply; 30 s when left out. */
  readonly requestTimeoutMs?: number | undefined;
  /** For the CA's decisions on one order; 5 min when left out. */
  readonly orderTimeoutMs?: number | undefined;
};

const REQUEST_TIMEOUT_MS = 30_000;
const ORDER_TIMEOUT_MS = 5 * 60_000;

/**
 * Makes the way to get certificates over ACME (RFC 8555). Directories, nonces and throw-away accounts are kept for as
 * long as the result lives: make one for a process. Throws CaBundleUnreadableError when `caBundlePem` is no PEM.
 */
export function createCertificateAuthority(parts: CertificateAuthorityParts): CertificateAuthority {
  const transport = createTransport({ ...parts, requestTimeoutMs: parts.requestTimeoutMs ?? REQUEST_TIMEOUT_MS });
  const offices = new Map<string, Office>();
  const officeAt = (directoryUrl: string): Office => {
    const known = offices.get(directoryUrl);
    if (known !== undefined) return known;
    const ca = createCa(directoryUrl, transport, parts.clock);
    const office = { ca, desk: createAccountDesk(ca, parts.accounts) };
    offices.set(directoryUrl, office);
    return office;
  };
  return {
    issue: async (request, log, signal) => {
      const office = officeAt(request.directoryUrl);
      try {
        return await issue(office, parts, { request, log, signal });
      } catch (error) {
        // What went wrong may have been an address that is no longer right.
        office.ca.forgetDirectory();
        signal.throwIfAborted();
        throw asOperatorError(error);
      }
    },
  };
}

type Office = { readonly ca: Ca; readonly desk: AccountDesk };
type Call = { readonly request: IssueRequest; readonly log: Log; readonly signal: AbortSignal };

async function issue(office: Office, parts: CertificateAuthorityParts, call: Call): Promise<IssuedCertificate> {
  const { account, order, story } = await placeWithAccount(office, parts, call);
  try {
    return { ...(await completeOrder(story, order)), accountId: account.id };
  } finally {
    // A rehearsal must prove its names each time; an authorization that stayed valid would spare the next one the trouble.
    if (call.request.account === "throw-away") await deactivateAuthorizations(story, order.authorizations);
  }
}

/** Places the order, with a new account when the CA no longer takes the one we have. */
async function placeWithAccount(office: Office, parts: CertificateAuthorityParts, call: Call) {
  const account = await office.desk.open(call.request, call);
  const story = await tellStory(office, parts, call, account);
  try {
    return { account, story, order: await placeOrder(story) };
  } catch (error) {
    if (!(await isAccountRefused(error, account, story.connection))) throw error;
  }
  const other = await office.desk.replace(account, call.request, call);
  const otherStory = await tellStory(office, parts, call, other);
  const order: PlacedOrder = await placeOrder(otherStory);
  return { account: other, story: otherStory, order };
}

async function tellStory(
  { ca }: Office,
  parts: CertificateAuthorityParts,
  { request, log, signal }: Call,
  account: Account,
): Promise<OrderStory> {
  const { clock, solverFor, orderTimeoutMs: timeoutMs = ORDER_TIMEOUT_MS } = parts;
  const reconnect = (signal: AbortSignal) => connect(ca, account, { log, signal });
  const deadlineAt = new Date(clock.now().getTime() + timeoutMs);
  const patience = { clock, signal, deadlineAt, timeoutMs };
  return { request, connection: await reconnect(signal), reconnect, solverFor, patience, log };
}
