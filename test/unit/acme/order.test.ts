import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  accountId,
  createCertificateAuthority,
  OrderInvalidError,
  UnexpectedAnswerError,
} from "../../../src/acme/index.ts";
import { OperatorError } from "../../../src/certificate/index.ts";
import { createWebrootSolver } from "../../../src/challenge/index.ts";
import type { AccountStore, IssueRequest } from "../../../src/reconcile/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";

const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const CAA = "urn:ietf:params:acme:error:caa";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

/** Runs one order whose names are proven already, at a CA that gives these answers to each path in turn. */
async function runOrder(answers: Readonly<Record<string, readonly ScriptedAnswer[]>>) {
  const counts = new Map<string, number>();
  server.answerPosts(({ path }) => {
    const count = counts.get(path) ?? 0;
    counts.set(path, count + 1);
    const scripted = answers[path] ?? [];
    return scripted[Math.min(count, scripted.length - 1)] ?? { status: 404 };
  });
  const account = { id: accountId(KEY), privateKeyPem: KEY, url: `${server.origin}/account` };
  const accounts: AccountStore = {
    find: async () => account,
    save: () => Promise.reject(new Error("a known account is not saved")),
    setAside: () => Promise.reject(new Error("a good account is not set aside")),
  };
  const clock = instantClock();
  const solver = createWebrootSolver({ front: { httpUrl: async () => undefined }, clock });
  const authority = createCertificateAuthority({
    accounts,
    solverFor: () => solver,
    clock,
    caBundlePem: server.caPem,
    userAgent: "tests",
    orderTimeoutMs: 60_000,
  });
  const request: IssueRequest = {
    lineage: "a.test",
    identifiers: [{ type: "dns", value: "a.test" }],
    keyType: "ecdsa-p256",
    directoryUrl: server.directoryUrl,
    webrootPath: "/var/www/html",
    account: "stored",
  };
  const issue = authority.issue(request, collectLog(), new AbortController().signal);
  return { clock, outcome: await issue.catch((error: unknown) => error) };
}

/** An order as a CA shows it. */
function order(status: string, more: object = {}, headers: Record<string, string> = {}): ScriptedAnswer {
  const body = { status, authorizations: [], finalize: `${server.origin}/finalize`, ...more };
  return { status: 200, headers: { Location: `${server.origin}/order`, ...headers }, body };
}

const finished = () => order("valid", { certificate: `${server.origin}/certificate` });
const certificate = (): ScriptedAnswer => ({
  status: 200,
  headers: { "Content-Type": "application/pem-certificate-chain" },
  body: `some words before\n${server.caPem}\n${server.caPem}`,
});

describe("a ready order", () => {
  test("is finalized and polled as often as the CA asks, and its chain is taken apart", async () => {
    const { outcome, clock } = await runOrder({
      "/newOrder": [order("ready")],
      "/finalize": [order("processing")],
      "/order": [order("processing", {}, { "Retry-After": "4" }), finished()],
      "/certificate": [certificate()],
    });
    const leaf = new X509Certificate(server.caPem).toString();
    expect(outcome).toMatchObject({ accountId: accountId(KEY), certificatePem: leaf, chainPem: leaf });
    expect(clock.slept).toEqual([100, 4000]);
  });

  test("that is valid in the answer to finalize is not polled at all", async () => {
    const { clock } = await runOrder({
      "/newOrder": [order("ready")],
      "/finalize": [finished()],
      "/certificate": [certificate()],
    });
    expect(server.posts().map(({ path }) => path)).toEqual(["/newOrder", "/finalize", "/certificate"]);
    expect(clock.slept).toEqual([]);
  });

  test("that the CA calls not ready is finalized again once it is", async () => {
    const { outcome } = await runOrder({
      "/newOrder": [order("ready")],
      "/finalize": [problemAnswer(403, "orderNotReady", "wait"), finished()],
      "/order": [order("pending"), order("ready")],
      "/certificate": [certificate()],
    });
    expect(outcome).toHaveProperty("certificatePem");
  });
});

describe("an order that comes to nothing", () => {
  const failing = async (answers: Readonly<Record<string, readonly ScriptedAnswer[]>>): Promise<OperatorError> => {
    const { outcome } = await runOrder(answers);
    if (outcome instanceof OperatorError) return outcome;
    throw new Error("no OperatorError was thrown", { cause: outcome });
  };

  test("for a reason that the CA gives, ends with it", async () => {
    const error = { type: CAA, detail: "CAA record for a.test prevents issuance" };
    const thrown = await failing({
      "/newOrder": [order("ready")],
      "/finalize": [order("processing")],
      "/order": [order("invalid", { error })],
    });
    expect(thrown.code).toBe("ACME_CAA");
    expect(thrown.message).toContain("CAA record for a.test prevents issuance");
  });

  test("without a reason, says so", async () => {
    expect(await failing({ "/newOrder": [order("invalid")] })).toBeInstanceOf(OrderInvalidError);
  });

  test("in the time an order has, ends then", async () => {
    const thrown = await failing({
      "/newOrder": [order("ready")],
      "/finalize": [order("processing")],
      "/order": [order("processing")],
    });
    expect(thrown.code).toBe("ACME_ORDER_TIMED_OUT");
  });

  test.each<[string, () => Readonly<Record<string, readonly ScriptedAnswer[]>>]>([
    ["an order without a URL", () => ({ "/newOrder": [{ status: 201, body: { status: "ready" } }] })],
    ["an order in a state nobody knows", () => ({ "/newOrder": [order("sleeping")] })],
    ["a list where an order was expected", () => ({ "/newOrder": [{ ...order("ready"), body: [] }] })],
    ["a valid order without a certificate", () => ({ "/newOrder": [order("ready")], "/finalize": [order("valid")] })],
    [
      "a certificate that is none",
      () => ({
        "/newOrder": [order("ready")],
        "/finalize": [finished()],
        "/certificate": [{ status: 200, body: "<html>" }],
      }),
    ],
  ])("because of %s, ends as nonsense", async (_what, answers) => {
    expect(await failing(answers())).toBeInstanceOf(UnexpectedAnswerError);
  });
});
