import { X509Certificate } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { certificateAnswer, happyEnd, runOrder, scriptedOrder } from "../../support/scripted-order.ts";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterEach(() => server.answerUnsigned(() => undefined));
afterAll(() => server.stop());

const UNTYPED = { "Content-Type": "" };
const PAGE = "<!DOCTYPE html><html><head><title>Access\nDenied</title></head><body>by policy</body></html>";
const certificate = () => `${server.origin}/certificate`;

/** Runs an order in which the CA answers at some paths other than it should; the rest of it goes well. */
const runWith = (odd: Readonly<Record<string, ScriptedAnswer>>) =>
  runOrder(server, {
    ...happyEnd(server, server.caPem),
    ...Object.fromEntries(Object.entries(odd).map(([path, answer]) => [path, [answer]])),
  });

describe("an answer that is nearly right is taken:", () => {
  test.each<[string, (pem: string) => string]>([
    ["with CR and LF", (pem) => pem.replaceAll("\n", "\r\n")],
    ["with CR alone", (pem) => pem.replaceAll("\n", "\r")],
    ["without a final line's end", (pem) => pem.trimEnd()],
    ["behind a byte order mark and some words", (pem) => `\uFEFF\r\nsubject=x\r\n${pem}`],
    ["with blanks around its lines", (pem) => pem.replaceAll("\n", " \n\t")],
    ["in one long line", (pem) => pem.replaceAll(/(?<!-)\n(?!-)/g, "")],
  ])("a chain %s, which is kept as it should be", async (_how, spoil) => {
    const { issued } = await runWith({ "/certificate": certificateAnswer(spoil(`${server.caPem}${server.caPem}`)) });
    const canonical = new X509Certificate(server.caPem).toString();
    expect(issued).toMatchObject({ certificatePem: canonical, chainPem: canonical });
  });

  test.each<[string, (leaf: string, chain: readonly string[]) => readonly string[]]>([
    ["the root first", (leaf, chain) => [...chain.toReversed(), leaf]],
    ["its leaf in the middle", (leaf, [first = "", second = ""]) => [first, leaf, second]],
    ["its leaf twice", (leaf, chain) => [leaf, leaf, ...chain]],
  ])("a chain with %s, which is put in order", async (_how, spoil) => {
    const { certificatePem, chainPem, privateKeyPem } = issueForTest({ names: ["a.test"] });
    const chain = [chainPem, new X509Certificate(server.caPem).toString()];
    const answers = happyEnd(server, spoil(certificatePem, chain).join(""));
    const { issued } = await runOrder(server, answers, { privateKeyPem });
    expect(issued).toMatchObject({ certificatePem, chainPem: chain.join("") });
  });

  test("no answer says what kind it is of", async () => {
    const { "/newOrder": placed, "/finalize": finished } = happyEnd(server, "");
    const untyped = ([answer]: readonly ScriptedAnswer[] = []) => ({
      ...answer,
      status: 200,
      headers: { ...answer?.headers, ...UNTYPED },
    });
    const { issued } = await runWith({
      "/newOrder": untyped(placed),
      "/finalize": untyped(finished),
      "/certificate": certificateAnswer(server.caPem, UNTYPED),
    });
    expect(issued).toBeDefined();
  });

  test.each<[string, string, () => ScriptedAnswer]>([
    ["an order in capital letters", "/newOrder", () => scriptedOrder(server, "READY")],
    [
      "an order of relative URLs",
      "/newOrder",
      () => scriptedOrder(server, "ready", { fields: { finalize: "/finalize" }, headers: { Location: "order" } }),
    ],
    [
      "an order whose one authorization stands in it three times",
      "/newOrder",
      () => scriptedOrder(server, "ready", { fields: { authorizations: ["/auth", "/auth", `${server.origin}/auth`] } }),
    ],
    [
      "an order behind a byte order mark",
      "/newOrder",
      () => {
        const { body, ...rest } = scriptedOrder(server, "ready");
        return { ...rest, body: `\uFEFF${JSON.stringify(body)}` };
      },
    ],
    [
      "a certificate's relative URL",
      "/finalize",
      () => scriptedOrder(server, "valid", { fields: { certificate: "/certificate" } }),
    ],
    ["201 where 200 belongs", "/finalize", () => ({ ...finished(), status: 201 })],
  ])("%s", async (_what, path, answer) => {
    expect((await runWith({ [path]: answer() })).outcome).toHaveProperty("certificatePem");
  });

  test.each<[string, ScriptedAnswer]>([
    ["empty", { status: 200, body: "", headers: UNTYPED }],
    ["202 with nothing", { status: 202, body: "" }],
    ["JSON that is no order", { status: 200, body: {} }],
  ])("an answer to finalize that is %s: the order itself is asked", async (_what, answer) => {
    const { issued } = await runWith({ "/finalize": answer, "/order": finished() });
    expect(issued).toBeDefined();
    expect(server.posts().map(({ path }) => path)).toEqual(["/newOrder", "/finalize", "/order", "/certificate"]);
  });

  test("a directory of relative URLs", async () => {
    const body = { newNonce: "/newNonce", newAccount: "newAccount", newOrder: "/newOrder" };
    server.answerUnsigned(({ path }) => (path === "/directory" ? { status: 200, body } : undefined));
    expect((await runWith({})).issued).toBeDefined();
  });
});

const finished = () => scriptedOrder(server, "valid", { fields: { certificate: certificate() } });

describe("an answer that is not right is told by what is missing:", () => {
  test("a directory without some of its resources", async () => {
    server.answerUnsigned(() => ({ status: 200, body: { newNonce: "/newNonce", "new-reg": "/newReg" } }));
    expect(await failureOf({})).toMatchObject({
      code: "ACME_NOT_A_DIRECTORY",
      message: `${server.directoryUrl} is not an ACME directory: it answered 200 with application/json, without newAccount, newOrder`,
    });
  });

  test("a refusal that is sent as a success", async () => {
    const body = { type: "urn:ietf:params:acme:error:rejectedIdentifier", detail: "not here" };
    expect(await failureOf({ "/newOrder": { status: 200, body } })).toMatchObject({
      code: "ACME_REJECTED_IDENTIFIER",
      message: expect.stringContaining("not here"),
    });
  });

  test("a refusal to give the directory, with the CA's words", async () => {
    const body = { type: "urn:ietf:params:acme:error:unauthorized", detail: "your network is blocked" };
    server.answerUnsigned(() => ({ status: 403, body }));
    expect(await failureOf({})).toMatchObject({
      code: "ACME_UNAUTHORIZED",
      origin: "ca-unreachable",
      message: expect.stringContaining("your network is blocked"),
    });
  });
});

describe("a web page in place of a CA's answer", () => {
  const told = (origin: string, path: string, status: number) => ({
    code: "ACME_WEB_PAGE",
    origin,
    message: `The CA's answer at ${server.origin}${path} makes no sense: a web page came in its place: ${status} "Access Denied: by policy", from FortiWeb`,
    remedy: expect.stringMatching(
      /^Have the firewall, captive portal or proxy on the way to the CA let 127\.0\.0\.1:\d+ through/,
    ),
  });

  test.each([200, 403, 511])("is told as one, with its title and who sent it: a directory, %i", async (status) => {
    server.answerUnsigned(() => ({ status, body: PAGE, headers: { Server: "FortiWeb" } }));
    expect(await failureOf({})).toMatchObject(told("ca-unreachable", "/directory", status));
  });

  test.each([200, 403, 511])("is told as one in the middle of an order: %i", async (status) => {
    const page = { status, body: `\n${PAGE}`, headers: { "Content-Type": "", Server: "FortiWeb" } };
    for (const path of ["/newOrder", "/finalize", "/certificate"]) {
      expect(await failureOf({ [path]: page })).toMatchObject(told("ca-failing", path, status));
    }
  });

  test("is told with where it sends to", async () => {
    server.answerUnsigned(() => ({ status: 302, body: PAGE, headers: { Location: "http://portal.test/login" } }));
    const message = expect.stringContaining('302 "Access Denied: by policy", a redirect to http://portal.test/login');
    expect(await failureOf({})).toMatchObject({ code: "ACME_WEB_PAGE", message });
  });

  test("is told in few words, however long its title", async () => {
    server.answerUnsigned(() => ({ status: 403, body: `<title>${"x".repeat(5000)}</title>` }));
    expect(((await failureOf({})) as OperatorError).message.length).toBeLessThan(400);
  });

  test("that says there is nothing, or that the server fails, is what the status says", async () => {
    expect(await failureOf({ "/newOrder": { status: 404, body: PAGE } })).toMatchObject({ status: 404 });
    expect(await failureOf({ "/newOrder": { status: 502, body: PAGE } })).toMatchObject({ code: "ACME_CA_FAILING" });
    server.answerUnsigned(() => ({ status: 404, body: PAGE }));
    expect(await failureOf({})).toMatchObject({ code: "ACME_NOT_A_DIRECTORY" });
  });
});

/** What an order is thrown when the CA answers so. */
async function failureOf(odd: Readonly<Record<string, ScriptedAnswer>>): Promise<unknown> {
  const { outcome } = await runWith(odd);
  expect(outcome).toBeInstanceOf(OperatorError);
  return outcome;
}
