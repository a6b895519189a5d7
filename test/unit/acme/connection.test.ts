import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createCa } from "../../../src/acme/ca.ts";
import { connect } from "../../../src/acme/connection.ts";
import {
  CaFailingError,
  CaUnreachableError,
  ProblemError,
  RateLimitedError,
  UnexpectedAnswerError,
} from "../../../src/acme/index.ts";
import { OperatorError } from "../../../src/certificate/index.ts";
import { createTransport } from "../../../src/acme/transport.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { networkOf } from "../../support/network.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";

const NOW = new Date("2026-11-22T01:00:00Z");
const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

/** A connection of a known account, and what to look at afterwards. */
async function open({ directoryUrl = server.directoryUrl, requestTimeoutMs = 5000, signal = neverAborted() } = {}) {
  const clock = instantClock(NOW);
  const log = collectLog();
  const transport = createTransport(networkOf(server.caPem).http, requestTimeoutMs);
  const ca = createCa(directoryUrl, transport, clock);
  const signer = { privateKeyPem: KEY.toString(), url: `${server.origin}/account/1` };
  const connection = await connect(ca, signer, { log, signal });
  const order = () => connection.post("place an order", (directory) => directory.newOrder, {});
  return { clock, log, ca, connection, order };
}

const neverAborted = () => new AbortController().signal;

/** The error of class `kind` that `request` ends with. */
async function failure<E extends Error>(
  request: Promise<unknown>,
  kind: abstract new (...args: never[]) => E,
): Promise<E> {
  const thrown = await request.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(kind);
  return thrown as E;
}

describe("nonces", () => {
  test("come from the replies: one HEAD at first, none later", async () => {
    server.answerPosts(() => ({ status: 200 }));
    const { order } = await open();
    for (let count = 0; count < 5; count += 1) await order();
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "HEAD", ...Array<string>(5).fill("POST")]);
    expect(new Set(server.posts().map(({ nonce }) => nonce)).size).toBe(5);
  });

  test("a refused one is replaced by that of the refusal, which is then used once only", async () => {
    server.answerPosts((_request, count) => (count === 1 ? problemAnswer(400, "badNonce", "old") : { status: 200 }));
    const { order } = await open();
    await order();
    await order();
    const nonces = server.posts().map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(3);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(1);
  });

  test("are asked for until one is taken: a CA may refuse most of them", async () => {
    server.answerPosts((_request, count) => (count < 20 ? problemAnswer(400, "badNonce", "no") : { status: 201 }));
    const { order } = await open();
    await order();
    expect(server.posts()).toHaveLength(20);
  });

  test("a CA that refuses each one is given up after twenty requests in five seconds, with its own words", async () => {
    server.answerPosts(() => problemAnswer(400, "badNonce", "no nonce is good enough"));
    const { order, clock } = await open();
    const error = await failure(order(), ProblemError);
    expect(error.code).toBe("ACME_BAD_NONCE");
    expect(error.origin).toBe("ca-failing");
    expect(error.message).toContain("no nonce is good enough");
    expect(server.posts()).toHaveLength(20);
    expect(clock.slept).toEqual(Array(10).fill(500));
  });

  test("a refusal that brings no other is followed by a question for one, as often as twenty times", async () => {
    server.answerPosts(() => problemAnswer(400, "badNonce", "no", { "Replay-Nonce": "" }));
    const { order } = await open();
    await failure(order(), ProblemError);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(20);
  });
});

describe("a CA that asks for patience", () => {
  test.each([
    ["in seconds", 429, "90", "2026-11-22T01:01:30.000Z"],
    ["by a date", 429, "Sun, 22 Nov 2026 13:00:00 GMT", "2026-11-22T13:00:00.000Z"],
    ["with 503", 503, "90", "2026-11-22T01:01:30.000Z"],
  ])("%s is left alone until then", async (_how, status, retryAfter, until) => {
    const headers = { "Retry-After": retryAfter };
    server.answerPosts(() => problemAnswer(status, "rateLimited", "too many certificates", headers));
    const { order, clock } = await open();
    const error = await failure(order(), RateLimitedError);
    expect(error.retry).toMatchObject({ notBefore: new Date(until) });
    expect(error.message).toContain(`The CA refused to place an order until ${until}: too many certificates`);
    expect(server.posts()).toHaveLength(1);
    expect(clock.slept).toEqual([]);
  });

  test("without saying how long is tried again at the next run", async () => {
    server.answerPosts(() => problemAnswer(429, "rateLimited", "too many"));
    const { order } = await open();
    expect((await failure(order(), RateLimitedError)).retry).toBe("next-run");
  });
});

describe("failures of server and line", () => {
  test("are repeated twice, each time signed anew, and told", async () => {
    server.answerPosts((_request, count) => (count < 3 ? { status: 500, body: "<h1>Oops</h1>" } : { status: 201 }));
    const { order, clock, log } = await open();
    await order();
    expect(clock.slept).toEqual([250, 1000]);
    expect(new Set(server.posts().map(({ nonce }) => nonce)).size).toBe(3);
    expect(log.lines.map(({ level, event }) => `${level} ${event}`)).toEqual(Array(2).fill("warn request.repeated"));
  });

  test("that stay end as an error that says what was asked and what came", async () => {
    server.answerPosts(() => ({ status: 502, body: "<html><h1>Bad   gateway</h1></html>" }));
    const { order } = await open();
    const error = await failure(order(), CaFailingError);
    expect(error.origin).toBe("ca-failing");
    expect(error.message).toBe("The CA failed with 502 when asked to place an order: 502 Bad gateway");
    expect(server.posts()).toHaveLength(3);
  });

  test("503 without Retry-After counts as one", async () => {
    server.answerPosts(() => ({ status: 503, body: "busy" }));
    const { order } = await open();
    await failure(order(), CaFailingError);
    expect(server.posts()).toHaveLength(3);
  });

  test("a CA that hangs is given up after three time limits", async () => {
    server.answerPosts(() => "hang");
    const { order } = await open({ requestTimeoutMs: 100 });
    expect((await failure(order(), CaUnreachableError)).origin).toBe("ca-unreachable");
    expect(server.posts()).toHaveLength(3);
  });

  test("an abort between two tries ends them with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    server.answerPosts(() => {
      controller.abort(reason);
      return { status: 500 };
    });
    const { order } = await open({ signal: controller.signal });
    await expect(order()).rejects.toBe(reason);
    expect(server.posts()).toHaveLength(1);
  });
});

describe("refusals and nonsense", () => {
  test("a problem document is kept whole and not repeated", async () => {
    server.answerPosts(() => problemAnswer(400, "rejectedIdentifier", "policy forbids it"));
    const { order } = await open();
    const error = await failure(order(), ProblemError);
    expect(error.problem.type).toBe("urn:ietf:params:acme:error:rejectedIdentifier");
    expect(server.posts()).toHaveLength(1);
  });

  test.each([
    [
      "a page where JSON was expected",
      { status: 403, body: "<title>Blocked</title> by the <b>firewall</b>" },
      /Blocked by the firewall/,
    ],
    [
      "a redirect",
      { status: 302, headers: { Location: "https://else.test/" }, body: "" },
      /302, a redirect to https:\/\/else\.test/,
    ],
  ])("%s is told with its words", async (_what, answer, words) => {
    server.answerPosts(() => answer);
    const { order } = await open();
    expect((await failure(order(), UnexpectedAnswerError)).message).toMatch(words);
    expect(server.posts()).toHaveLength(1);
  });
});

describe("a failure to answer what everybody may ask", () => {
  test.each<[string, ScriptedAnswer, string]>([
    ["/directory", { status: 500, body: "" }, "ACME_CA_FAILING"],
    ["/directory", { status: 429, body: "" }, "ACME_RATE_LIMITED"],
    ["/directory", { status: 200, body: "<html>" }, "ACME_WEB_PAGE"],
    ["/newNonce", { status: 503, headers: { "Retry-After": "5" } }, "ACME_RATE_LIMITED"],
    ["/newNonce", { status: 502, body: "" }, "ACME_CA_FAILING"],
    ["/newNonce", { status: 200, headers: { "Replay-Nonce": "" } }, "ACME_UNEXPECTED_ANSWER"],
  ])("at %s, by %o, is one of the CA as a whole", async (path, answer, code) => {
    server.answerPosts(() => ({ status: 200 }));
    server.answerUnsigned((request) => (request.path === path ? answer : undefined));
    onTestFinished(() => server.answerUnsigned(() => undefined));
    const { order } = await open();
    expect(await failure(order(), OperatorError)).toMatchObject({ code, origin: "ca-unreachable" });
    expect(server.posts()).toEqual([]);
  });
});

describe("the directory", () => {
  test.each([
    ["words", { status: 200, body: "Welcome" }, "200 with text/html"],
    ["JSON of another kind", { status: 200, body: { hello: "world" } }, "200 with application/json"],
    ["nothing", { status: 404, body: "" }, "404 with text/html"],
    [
      "a redirect",
      { status: 301, headers: { Location: "https://ca.test/dir" }, body: "" },
      "redirect to https://ca.test/dir",
    ],
  ] satisfies [string, ScriptedAnswer, string][])("that is %s is named as what it is", async (_what, answer, words) => {
    server.answerUnsigned(() => answer);
    onTestFinished(() => server.answerUnsigned(() => undefined));
    const { order } = await open();
    const error = await failure(order(), OperatorError);
    expect(error.code).toBe("ACME_NOT_A_DIRECTORY");
    expect(error.message).toContain(words);
    expect(error.message).toContain(server.directoryUrl);
    expect(error.remedy).toContain("CERTBOT_SERVER");
    expect(server.requests).toHaveLength(1);
  });

  test("is asked for once a day, and anew after it was forgotten or the clock was set back", async () => {
    server.answerPosts(() => ({ status: 200 }));
    const { order, ca, clock } = await open();
    const asked = () => server.requests.filter(({ path }) => path === "/directory").length;
    await order();
    await clock.sleep(23 * 3600 * 1000, neverAborted());
    await order();
    expect(asked()).toBe(1);
    await clock.sleep(3600 * 1000, neverAborted());
    await order();
    expect(asked()).toBe(2);
    ca.forgetDirectory();
    await order();
    expect(asked()).toBe(3);
    await clock.sleep(1000, neverAborted());
    clock.setBack(48 * 3600 * 1000);
    await order();
    expect(asked(), "after the clock was set back by two days").toBe(4);
  });
});
