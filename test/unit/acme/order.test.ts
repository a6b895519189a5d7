import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UnexpectedAnswerError } from "../../../src/acme/index.ts";
import { OperatorError } from "../../../src/certificate/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import {
  type Answers,
  certificateAnswer,
  happyEnd,
  runOrder,
  SCRIPTED_ACCOUNT_ID,
  scriptedAuthority,
  scriptedOrder,
  scriptedRequest,
} from "../../support/scripted-order.ts";

const CAA = "urn:ietf:params:acme:error:caa";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

const run = (answers: Answers) => runOrder(server, answers);

const order = (status: string, fields: object = {}, headers: Record<string, string> = {}) =>
  scriptedOrder(server, status, { fields, headers });

const finished = () => order("valid", { certificate: `${server.origin}/certificate` });
const certificate = () => certificateAnswer(`some words before\n${server.caPem}\n${server.caPem}`);

describe("a ready order", () => {
  test("is finalized and polled as often as the CA asks, and its chain is taken apart", async () => {
    const { outcome, clock } = await run({
      "/newOrder": [order("ready")],
      "/finalize": [order("processing")],
      "/order": [order("processing", {}, { "Retry-After": "4" }), finished()],
      "/certificate": [certificate()],
    });
    const leaf = new X509Certificate(server.caPem).toString();
    expect(outcome).toMatchObject({ accountId: SCRIPTED_ACCOUNT_ID, certificatePem: leaf, chainPem: leaf });
    expect(clock.slept).toEqual([100, 4000]);
  });

  test("that is valid in the answer to finalize is not polled at all", async () => {
    const { clock } = await run({
      "/newOrder": [order("ready")],
      "/finalize": [finished()],
      "/certificate": [certificate()],
    });
    expect(server.posts().map(({ path }) => path)).toEqual(["/newOrder", "/finalize", "/certificate"]);
    expect(clock.slept).toEqual([]);
  });

  test("that the CA calls not ready is finalized again once it is", async () => {
    const { outcome } = await run({
      "/newOrder": [order("ready")],
      "/finalize": [problemAnswer(403, "orderNotReady", "wait"), finished()],
      "/order": [order("pending"), order("ready")],
      "/certificate": [certificate()],
    });
    expect(outcome).toHaveProperty("certificatePem");
  });
});

describe("what is to be written down before the CA may sign", () => {
  test("is, before the CSR is sent", async () => {
    const postsBefore: number[] = [];
    const beforeFinalize = async () => void postsBefore.push(server.posts().length);
    const { issued } = await runOrder(server, happyEnd(server, server.caPem), { beforeFinalize });
    expect(issued).toBeDefined();
    expect(postsBefore).toEqual([1]);
  });

  test("keeps the CSR from being sent where it can't be", async () => {
    const beforeFinalize = () => Promise.reject(new Error("the disk is full"));
    const { outcome } = await runOrder(server, happyEnd(server, server.caPem), { beforeFinalize });
    expect(outcome).toMatchObject({ message: "the disk is full" });
    expect(server.posts().map(({ path }) => path)).toEqual(["/newOrder"]);
  });
});

describe("what a CA wants proven", () => {
  type Shown = { readonly value: string; readonly type?: string; readonly status?: string };
  const authorization = ({ value, type = "dns", status = "pending" }: Shown): ScriptedAnswer => ({
    status: 200,
    body: { identifier: { type, value }, status, challenges: [] },
  });
  const pending = (paths: readonly string[]) =>
    order("pending", { authorizations: paths.map((path) => `${server.origin}${path}`) });

  test("is no more than was ordered", async () => {
    const many = Array.from({ length: 1500 }, (_, index) => `/authz/${index}`);
    const { outcome } = await run({ "/newOrder": [pending(many)] });
    expect(outcome).toMatchObject({ code: "ACME_UNEXPECTED_ANSWER" });
    expect((outcome as OperatorError).message).toContain("1500 authorizations for one name");
    expect(server.posts().map(({ path }) => path)).toEqual(["/newOrder"]);
  });

  test("is never a name that wasn't ordered", async () => {
    const { outcome } = await run({
      "/newOrder": [pending(["/authz"])],
      "/authz": [authorization({ value: "router.internal" })],
    });
    expect(outcome).toMatchObject({ code: "ACME_UNEXPECTED_ANSWER" });
    expect((outcome as OperatorError).message).toContain("router.internal, which was not ordered");
  });

  test.each([
    ["a name in capitals", { type: "dns", value: "a.test" }, { value: "A.test" }],
    ["the domain of a wildcard", { type: "dns", value: "*.a.test" }, { value: "a.test" }],
    ["an address in another spelling", { type: "ip", value: "2001:db8::1" }, { type: "ip", value: "2001:DB8:0:0::1" }],
  ] as const)("may be %s", async (_what, identifier, shown) => {
    const answers = { "/newOrder": [pending(["/authz"])], "/authz": [authorization(shown)] };
    const { outcome } = await runOrder(server, answers, { identifiers: [identifier] });
    expect(outcome).toMatchObject({ code: "ACME_CHALLENGE_NOT_OFFERED" });
  });

  test("may have been proven by a domain above it, which needs nothing of us", async () => {
    const { issued } = await run({
      ...happyEnd(server, server.caPem),
      "/newOrder": [pending(["/authz"])],
      "/authz": [authorization({ value: "test", status: "valid" })],
    });
    expect(issued).toBeDefined();
  });
});

describe("the time that an order has", () => {
  const names = Array.from({ length: 25 }, (_, index) => `n${index}.test`);
  const urls = () => names.map((name) => `${server.origin}/authz/${name}`);

  /** An order at a CA that takes this long for each answer. */
  const slowly = async (answerMs: number, answers: (path: string) => ScriptedAnswer) => {
    const { authority, clock } = await scriptedAuthority(server);
    server.answerPosts(({ path }) => {
      clock.setBack(-answerMs);
      return answers(path);
    });
    const request = scriptedRequest(server, { identifiers: names.map((value) => ({ type: "dns", value })) });
    return authority.issue(request, collectLog(), new AbortController().signal);
  };

  test("ends the round through many authorizations too", async () => {
    const ordering = slowly(10_000, (path) => {
      if (path === "/newOrder") return order("pending", { authorizations: urls() });
      const value = path.split("/").at(-1);
      return { status: 200, body: { identifier: { type: "dns", value }, status: "valid", challenges: [] } };
    });
    await expect(ordering).rejects.toMatchObject({ code: "ACME_ORDER_TIMED_OUT" });
    const looks = server.posts().filter(({ payload }) => payload === undefined);
    expect(looks.length).toBeLessThan(15);
  });

  test("is over for everything but a certificate that the CA has signed", async () => {
    const end = happyEnd(server, server.caPem);
    const issued = await slowly(45_000, (path) => end[path]?.[0] ?? { status: 404 });
    expect(issued).toHaveProperty("certificatePem");
  });
});

describe("an order that comes to nothing", () => {
  const failing = async (answers: Answers): Promise<OperatorError> => {
    const { outcome } = await run(answers);
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
    expect(await failing({ "/newOrder": [order("invalid")] })).toMatchObject({ code: "ACME_ORDER_INVALID" });
  });

  test("in the time an order has, ends then", async () => {
    const thrown = await failing({
      "/newOrder": [order("ready")],
      "/finalize": [order("processing")],
      "/order": [order("processing")],
    });
    expect(thrown.code).toBe("ACME_ORDER_TIMED_OUT");
  });

  test.each<[string, () => Answers]>([
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
