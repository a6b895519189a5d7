import { type Identifier, OperatorError } from "../certificate/index.ts";
import type { LogEvent, LogFields } from "../ports/index.ts";
import { CaFailingError, UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { type Order, readOrder } from "./objects.ts";
import type { OrderExtras } from "./order-extras.ts";
import type { OrderContext } from "./order-context.ts";
import { problemName } from "./failures/problem.ts";
import { UNKNOWN } from "./failures/problem-meanings.ts";
import { ProblemError } from "./failures/problem-errors.ts";

/**
 * Asks for the order (RFC 8555 §7.4), and where the CA refuses it for what it asks beside its names, once more without that.
 * A CA may answer with an order that it still has for the same names.
 */
export async function placeOrder(context: OrderContext, extras = context.extras): Promise<Order> {
  try {
    return await post(context, extras);
  } catch (error) {
    const concession = concede(context, extras, error);
    if (concession === undefined) throw error;
    const order = await placeOrder(context, concession.extras);
    // Only now is it sure what the refusal was about.
    const { lineage } = context.request;
    const { event, fields, refusal } = concession;
    context.log.warn(event, { lineage, ...fields, order: order.url, reason: refusal.message });
    return order;
  }
}

async function post({ request, connection, log }: OrderContext, extras: OrderExtras): Promise<Order> {
  const { identifiers, lineage } = request;
  const answer = await connection.post(`place an order for ${describe(identifiers)}`, ({ newOrder }) => newOrder, {
    identifiers: identifiers.map(({ type, value }) => ({ type, value })),
    ...extras,
  });
  if (answer.location === undefined) throw new UnexpectedAnswerError(answer.url, "an order without its URL (Location)");
  const order = readOrder(answer.location, answer.data);
  refuseExcess(order, identifiers);
  const names = identifiers.map(({ value }) => value);
  log.info("order.created", { lineage, order: order.url, names, status: order.status, ...extras });
  return order;
}

// RFC 8555 §7.1.3 lets a CA ask for fewer than one for each name; for more, each a file of ours and a request, there is no reason.
function refuseExcess({ url, authorizations }: Order, identifiers: readonly Identifier[]): void {
  if (authorizations.length <= identifiers.length) return;
  const names = identifiers.length === 1 ? "one name" : `${identifiers.length} names`;
  throw new UnexpectedAnswerError(url, `an order with ${authorizations.length} authorizations for ${names}`);
}

const MOST_NAMED = 5;

function describe(identifiers: readonly Identifier[]): string {
  const named = identifiers.slice(0, MOST_NAMED).map(({ value }) => value);
  const others = identifiers.length - named.length;
  return others > 0 ? `${named.join(", ")} and ${others} more` : named.join(", ");
}

type Concession = {
  readonly extras: OrderExtras;
  readonly event: LogEvent;
  readonly fields?: LogFields;
  readonly refusal: OperatorError;
};

/** What can be left out after a refusal; undefined when that would help nobody. */
function concede({ request }: OrderContext, extras: OrderExtras, refusal: unknown): Concession | undefined {
  if (!(refusal instanceof OperatorError)) return undefined;
  if (refusal instanceof ProblemError && problemName(refusal.problem) === "invalidProfile") {
    // The directory offers it, but not to this account, or not for these names.
    const { profile } = extras;
    if (profile === undefined || request.profile?.isRequired !== false) return undefined;
    return { extras: { ...extras, profile: undefined }, event: "profile.not-offered", fields: { profile }, refusal };
  }
  if (extras.replaces === undefined || !isAboutReplaces(refusal)) return undefined;
  return { extras: { ...extras, replaces: undefined }, event: "replacement.refused", refusal };
}

function isAboutReplaces(refusal: OperatorError): boolean {
  if (refusal instanceof ProblemError) {
    return REPLACES_REFUSED.has(problemName(refusal.problem)) || refusal.code === UNKNOWN.code;
  }
  // A firewall's page has no status of the CA's.
  if (refusal instanceof UnexpectedAnswerError) return REFUSALS.has(refusal.status ?? 0);
  // Some fail with 500 over a predecessor that they don't know. A newNonce that fails has nothing to do with it.
  return refusal instanceof CaFailingError && refusal.origin === "ca-failing";
}

const REFUSALS = new Set([400, 403, 404, 409, 422]);

// RFC 9773 §5 has a type of its own for a predecessor that is replaced already. For one that is unknown, of another account or of
// other names CAs have chosen these, or a type that nobody else has.
const REPLACES_REFUSED = new Set(["alreadyReplaced", "conflict", "malformed", "unauthorized", "serverInternal"]);
