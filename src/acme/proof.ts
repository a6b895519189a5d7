import { asOperatorError, mapLimited, type Identifier, wordsOf } from "../certificate/index.ts";
import type { ChallengeProof, ChallengeSolver, SelfCheckFinding } from "../ports/index.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { REQUESTS_AT_ONCE } from "./connection.ts";
import { deactivateAuthorizations } from "./deactivate.ts";
import { type Authorization, type Challenge, type Order, readAuthorization } from "./objects.ts";
import { challengeNotOffered } from "./failures/order-errors.ts";
import type { OrderContext } from "./order-context.ts";
import { offTheClock, pollUntilDecided } from "./poll.ts";
import type { FailedProof } from "./failures/failed-proof.ts";
import { ChallengeFailedError, ProblemError } from "./failures/problem-errors.ts";

/** The challenge by which an authorization is to be proven, and how. */
type ChosenChallenge = {
  readonly authorization: Authorization;
  readonly challenge: Challenge;
  readonly solver: ChallengeSolver;
  readonly proof: ChallengeProof;
};

/**
 * Proves control of every name of an order that the CA has no valid authorization for (RFC 8555 §7.5). Afterwards no
 * proof is left to be seen; after a failure no authorization is left pending either, which CAs count. Throws
 * ChallengeFailedError that names each name that failed, another OperatorError, or the signal's reason.
 */
export async function proveControl(context: OrderContext, order: Order): Promise<void> {
  const decided = new Set<string>();
  const chosen: ChosenChallenge[] = [];
  try {
    const authorizations = await mapLimited(order.authorizations, REQUESTS_AT_ONCE, (url) =>
      fetchAuthorization(context, url),
    );
    const known = authorizations.filter(({ status }) => status !== "pending");
    for (const { url } of known) decided.add(url);
    refuseForeign(context, authorizations);
    throwFailures(known);
    for (const { identifier } of known) {
      context.log.info("authorization.reused", { lineage: context.request.lineage, name: identifier.value });
    }
    const pending = authorizations.filter(({ status }) => status === "pending");
    chosen.push(...pending.map((authorization) => choose(context, authorization)));
    const seen: Seen = new Map();
    for (const step of [present, selfCheck]) {
      await offTheClock(context.deadline, () =>
        mapLimited(chosen, REQUESTS_AT_ONCE, (one) => step(context, one, seen)),
      );
    }
    await validate(context, chosen, { decided, seen });
  } catch (error) {
    const left = order.authorizations.filter((url) => !decided.has(url));
    await deactivateAuthorizations(context, left);
    throw error;
  } finally {
    await mapLimited(chosen, REQUESTS_AT_ONCE, (one) => cleanUp(context, one));
  }
}

async function fetchAuthorization({ connection }: OrderContext, url: string): Promise<Authorization> {
  const { data } = await connection.post(`show the authorization ${url}`, url, null);
  return readAuthorization(url, data);
}

// A CA may take a domain above as proof (RFC 8555 §7.1.3). What we are to prove, and to check ourselves, is only what was ordered.
function refuseForeign({ request }: OrderContext, authorizations: readonly Authorization[]): void {
  const bare = ({ value }: Identifier) => value.replace(/^\*\./, "");
  const ordered = new Set(request.identifiers.map(bare));
  const foreign = authorizations.find(({ status, identifier }) => status !== "valid" && !ordered.has(bare(identifier)));
  if (foreign === undefined) return;
  const { value } = foreign.identifier;
  throw new UnexpectedAnswerError(foreign.url, `an authorization for ${value}, which was not ordered`);
}

function choose(context: OrderContext, authorization: Authorization): ChosenChallenge {
  const { identifier, challenges } = authorization;
  const solver = context.solverFor(identifier);
  const challenge = challenges.find(({ type, token }) => type === solver.type && token !== undefined);
  if (challenge?.token === undefined) {
    const offered = challenges.map(({ type }) => type);
    throw challengeNotOffered(identifier, solver.type, offered);
  }
  const { token } = challenge;
  const keyAuthorization = context.connection.keyAuthorization(token);
  return { authorization, challenge, solver, proof: { identifier, token, keyAuthorization } };
}

async function present({ log, request, deadline }: OrderContext, { solver, proof }: ChosenChallenge): Promise<void> {
  await solver.present(proof, deadline.signal);
  const name = proof.identifier.value;
  log.debug("challenge.presented", { lineage: request.lineage, name, challenge: solver.type });
}

/** Why a name's proof will probably not be seen by the CA. */
type Seen = Map<string, SelfCheckFinding>;

// Advice, never a gate: a server that can't reach itself by its public way is often seen well from outside.
async function selfCheck(context: OrderContext, { solver, proof }: ChosenChallenge, seen: Seen): Promise<void> {
  const { log, request, deadline } = context;
  const fields = { lineage: request.lineage, name: proof.identifier.value };
  try {
    const finding = await solver.selfCheck(proof, deadline.signal);
    if (finding === undefined) log.debug("self-check.passed", fields);
    else {
      log.warn("self-check.failed", { ...fields, message: finding.message, remedy: finding.remedy });
      if (!finding.isUnasked) seen.set(proof.identifier.value, finding);
    }
  } catch (error) {
    deadline.signal.throwIfAborted();
    const { message, remedy } = asOperatorError(error);
    log.warn("self-check.failed", { ...fields, message, remedy });
  }
}

/** Has the CA check all proofs, and waits until it has decided on each; adds to `decided` what needs no tidying up. */
async function validate(
  context: OrderContext,
  chosen: readonly ChosenChallenge[],
  { decided, seen }: { readonly decided: Set<string>; readonly seen: Seen },
): Promise<void> {
  const { log, request } = context;
  const authorizations = await mapLimited(chosen, REQUESTS_AT_ONCE, async (one) => {
    const name = one.authorization.identifier.value;
    await answerChallenge(context, one);
    const outcome = await untilDecided(context, one);
    if (outcome.status !== "pending") decided.add(outcome.url);
    if (outcome.status === "valid") log.info("challenge.validated", { lineage: request.lineage, name });
    return outcome;
  });
  throwFailures(authorizations, seen);
}

/** Tells the CA to check. A refusal may mean that it has checked already and only its answer was lost: then nothing is wrong. */
async function answerChallenge(context: OrderContext, { authorization, challenge }: ChosenChallenge): Promise<void> {
  try {
    await context.connection.post(`verify ${authorization.identifier.value}`, challenge.url, {});
  } catch (refusal) {
    if (!(refusal instanceof ProblemError)) throw refusal;
    const { challenges } = await fetchAuthorization(context, authorization.url);
    const current = challenges.find(({ url }) => url === challenge.url);
    if (current === undefined || current.status === "pending") throw refusal;
  }
}

// The authorization is asked, not the challenge: the order becomes ready by its authorizations (RFC 8555 §7.1.6).
function untilDecided(context: OrderContext, { authorization, challenge }: ChosenChallenge): Promise<Authorization> {
  const { url, identifier } = authorization;
  return pollUntilDecided({
    what: `the authorization of ${identifier.value}`,
    deadline: context.deadline,
    poll: async () => {
      const answer = await context.connection.post(`show the authorization of ${identifier.value}`, url, null);
      const value = readAuthorization(url, answer.data);
      const isPending = value.status === "pending" && !isGivenUp(value, challenge);
      return { value, isPending, retryAfter: answer.retryAfter };
    },
  });
}

// An authorization whose challenge has failed is not always made invalid, as RFC 8555 §7.1.6 wants it: at step-ca, which is
// Caddy's CA too, it stays pending. Nor is a challenge: while a CA goes on trying it is "processing" (§8.2), so one that has an
// error and is "pending" waits to be asked again, for ever.
function isGivenUp({ challenges }: Authorization, { url }: Challenge): boolean {
  const current = challenges.find((one) => one.url === url);
  return current?.status === "invalid" || (current?.status === "pending" && current.error !== undefined);
}

function throwFailures(authorizations: readonly Authorization[], seen: Seen = new Map()): void {
  const failures = authorizations
    .filter(({ status }) => status !== "valid")
    .map(({ identifier, status, challenges }): FailedProof => {
      const tried = challenges.find(({ error }) => error !== undefined);
      const unexplained = { type: "about:blank", detail: `its authorization is ${status}`, subproblems: [] };
      return {
        identifier,
        problem: tried?.error ?? unexplained,
        records: tried?.validationRecords ?? [],
        seen: seen.get(identifier.value),
        isTried: status === "invalid" || status === "pending",
      };
    });
  if (failures.length > 0) throw new ChallengeFailedError(failures);
}

async function cleanUp({ log, request }: OrderContext, { solver, proof }: ChosenChallenge): Promise<void> {
  try {
    await solver.cleanUp(proof);
  } catch (error) {
    const about = { lineage: request.lineage, name: proof.identifier.value };
    log.warn("challenge.cleanup-failed", { ...about, reason: wordsOf(error) });
  }
}
