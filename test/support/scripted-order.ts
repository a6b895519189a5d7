import { generateKeyPairSync } from "node:crypto";
import { createCertificateAuthority } from "../../src/acme/index.ts";
import { accountIdOf } from "../../src/certificate/index.ts";
import { createWebrootSolvers } from "../../src/challenge/index.ts";
import type { Log } from "../../src/ports/index.ts";
import type { CertificateAuthority, IssuedCertificate, IssueRequest } from "../../src/reconcile/index.ts";
import { createAccountStore } from "../../src/store/index.ts";
import { type CollectedLine, collectLog } from "./collected-log.ts";
import { instantClock } from "./instant-clock.ts";
import { networkOf } from "./network.ts";
import type { ScriptedAnswer, ScriptedCa } from "./scripted-ca.ts";
import { folderInMemory } from "./temporary-folder.ts";
import { byWebroot } from "./challenges.ts";

const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/** The id of the account that {@link scriptedAuthority} has. */
export const SCRIPTED_ACCOUNT_ID = accountIdOf(KEY);

/** What a CA answers to the POSTs at each path, in turn; the last answer stays. */
export type Answers = Readonly<Record<string, readonly ScriptedAnswer[]>>;

/** Our side of a scripted CA, with an account that it knows and a clock that never waits. */
export async function scriptedAuthority(server: ScriptedCa, startAt?: Date) {
  const accounts = createAccountStore({ root: await folderInMemory() });
  const account = { id: SCRIPTED_ACCOUNT_ID, privateKeyPem: KEY, url: `${server.origin}/account` };
  await accounts.save(server.directoryUrl, account, { createdAt: new Date() });
  const clock = instantClock(startAt);
  const solver = createWebrootSolvers({ front: { httpUrl: async () => undefined }, clock }).with("/var/www/html");
  const authority: CertificateAuthority = createCertificateAuthority({
    accounts,
    solverFor: () => solver,
    clock,
    ...networkOf(server.caPem),
    orderTimeoutMs: 60_000,
    requestTimeoutMs: 1000,
  });
  return { authority, clock };
}

/** How a scripted order ended: with a certificate, or with what was thrown. */
export type Ending = {
  readonly outcome: unknown;
  readonly issued: IssuedCertificate | undefined;
  readonly clock: ReturnType<typeof instantClock>;
  readonly lines: readonly CollectedLine[];
};

/** Runs one order whose names are proven already. */
export function runOrder(server: ScriptedCa, answers: Answers, more: Partial<IssueRequest> = {}): Promise<Ending> {
  const request = scriptedRequest(server, more);
  return runWith(server, answers, (authority, ...rest) => authority.issue(request, ...rest));
}

/** Collects the certificate of an order that was left behind. */
export function runCollection(
  server: ScriptedCa,
  answers: Answers,
  { privateKeyPem, mayWait = true }: { readonly privateKeyPem: string; readonly mayWait?: boolean },
): Promise<Ending> {
  const request = { ...scriptedRequest(server), mayWait };
  const open = { url: `${server.origin}/order`, privateKeyPem, isReplacement: true };
  return runWith(server, answers, (authority, ...rest) => authority.collect(open, request, ...rest));
}

type Work = (authority: CertificateAuthority, log: Log, signal: AbortSignal) => Promise<IssuedCertificate | undefined>;

async function runWith(server: ScriptedCa, answers: Answers, work: Work): Promise<Ending> {
  const counts = new Map<string, number>();
  server.answerPosts(({ path }) => {
    const count = counts.get(path) ?? 0;
    counts.set(path, count + 1);
    const scripted = answers[path] ?? [];
    return scripted[Math.min(count, scripted.length - 1)] ?? { status: 404 };
  });
  const { authority, clock } = await scriptedAuthority(server);
  const log = collectLog();
  try {
    const issued = await work(authority, log, new AbortController().signal);
    return { outcome: issued, issued, clock, lines: log.lines };
  } catch (outcome) {
    return { outcome, issued: undefined, clock, lines: log.lines };
  }
}

/** A request for one name at a scripted CA. */
export function scriptedRequest(server: ScriptedCa, more: Partial<IssueRequest> = {}): IssueRequest {
  return {
    lineage: "a.test",
    identifiers: [{ type: "dns", value: "a.test" }],
    keyType: "ecdsa-p256",
    directoryUrl: server.directoryUrl,
    challenges: byWebroot(),
    account: "stored",
    ...more,
  };
}

/** An order as a CA shows it. */
export function scriptedOrder(
  server: ScriptedCa,
  status: string,
  { fields = {}, headers = {} }: { readonly fields?: object; readonly headers?: Readonly<Record<string, string>> } = {},
): ScriptedAnswer {
  const body = { status, authorizations: [], finalize: `${server.origin}/finalize`, ...fields };
  return { status: 200, headers: { Location: `${server.origin}/order`, ...headers }, body };
}

/** The answers that see a ready order through to `pem`; `fields` are the order's in the answer to newOrder. */
export function happyEnd(server: ScriptedCa, pem: string, fields: object = {}): Answers {
  const certificate = `${server.origin}/certificate`;
  return {
    "/newOrder": [scriptedOrder(server, "ready", { fields })],
    "/finalize": [scriptedOrder(server, "valid", { fields: { certificate } })],
    "/certificate": [certificateAnswer(pem)],
  };
}

/** A certificate as a CA gives it (RFC 8555 §9.1). */
export function certificateAnswer(pem: string, headers: Readonly<Record<string, string>> = {}): ScriptedAnswer {
  return { status: 200, headers: { "Content-Type": "application/pem-certificate-chain", ...headers }, body: pem };
}
