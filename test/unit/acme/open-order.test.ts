import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RateLimitedError } from "../../../src/acme/index.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { problemAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { readSigningRequest } from "../../support/read-csr.ts";
import { type Answers, certificateAnswer, runCollection, scriptedOrder } from "../../support/scripted-order.ts";

const ERROR = "urn:ietf:params:acme:error:";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

const { privateKeyPem } = issueForTest({ names: ["a.test"], accountId: "0".repeat(32) });

const collect = (answers: Answers, mayWait = true) => runCollection(server, answers, { privateKeyPem, mayWait });
const order = (status: string, fields: object = {}, headers: Record<string, string> = {}) =>
  scriptedOrder(server, status, { fields, headers });
const finished = () => order("valid", { certificate: `${server.origin}/certificate` });
const certificate = () => certificateAnswer(server.caPem);
const paths = () => server.posts().map(({ path }) => path);

describe("an order that was left behind", () => {
  test("costs two requests when its certificate is ready, and keeps its key", async () => {
    const { outcome, lines } = await collect({ "/order": [finished()], "/certificate": [certificate()] });
    const certificatePem = new X509Certificate(server.caPem).toString();
    expect(outcome).toMatchObject({ certificatePem, privateKeyPem, isReplacement: true });
    expect(paths()).toEqual(["/order", "/certificate"]);
    expect(lines.map(({ event }) => event)).toEqual(["order.resumed"]);
  });

  test("is waited for as the CA asks", async () => {
    const { issued, clock } = await collect({
      "/order": [order("processing"), order("processing", {}, { "Retry-After": "4" }), finished()],
      "/certificate": [certificate()],
    });
    expect(issued).toBeDefined();
    expect(clock.slept).toEqual([100, 4000]);
  });

  test("is finalized with the same key when the CA has not seen the CSR", async () => {
    const { issued } = await collect({
      "/order": [order("ready")],
      "/finalize": [finished()],
      "/certificate": [certificate()],
    });
    expect(issued?.privateKeyPem).toBe(privateKeyPem);
    const [{ csr } = { csr: "" }] = server
      .posts()
      .filter(({ path }) => path === "/finalize")
      .map(({ payload }) => payload as { csr: string });
    const { key, names } = readSigningRequest(Buffer.from(csr, "base64url"));
    expect(names).toEqual(["a.test"]);
    expect(key.equals(createPublicKey(createPrivateKey(privateKeyPem)))).toBe(true);
  });

  test.each([
    ["pending", () => order("pending")],
    ["invalid", () => order("invalid", { error: { type: `${ERROR}caa`, detail: "no" } })],
    ["unknown", () => problemAnswer(404, "malformed", "no such order")],
    ["gone without a word", () => ({ status: 404 })],
    ["another account's", () => problemAnswer(403, "unauthorized", "not yours")],
    ["an account's that is unknown", () => problemAnswer(400, "accountDoesNotExist", "who?")],
  ])("is given up when it is %s", async (_, answer) => {
    const { outcome, lines } = await collect({ "/order": [answer()] });
    expect(outcome).toBeUndefined();
    expect(paths()).toEqual(["/order"]);
    expect(lines).toMatchObject([{ level: "info", event: "order.given-up", fields: { lineage: "a.test" } }]);
  });

  test("is given up when the CA refuses its CSR, or has no certificate for it", async () => {
    const bad = problemAnswer(400, "badCSR", "a weak key");
    expect((await collect({ "/order": [order("ready")], "/finalize": [bad] })).outcome).toBeUndefined();
    const gone = problemAnswer(404, "malformed", "no such certificate");
    expect((await collect({ "/order": [finished()], "/certificate": [gone] })).outcome).toBeUndefined();
    const lost = order("invalid", { error: { type: `${ERROR}caa`, detail: "no" } });
    expect((await collect({ "/order": [order("processing"), lost] })).outcome).toBeUndefined();
  });

  test("is kept while the CA only asks for patience, fails, or takes its time", async () => {
    const patience = problemAnswer(429, "rateLimited", "later", { "Retry-After": "60" });
    for (const mayWait of [true, false]) {
      expect((await collect({ "/order": [patience] }, mayWait)).outcome).toBeInstanceOf(RateLimitedError);
    }
    expect((await collect({ "/order": [{ status: 500 }] })).outcome).toMatchObject({ origin: "ca-failing" });
    for (const mayWait of [true, false]) {
      const failing = await collect({ "/order": [order("ready")], "/finalize": [{ status: 500 }] }, mayWait);
      expect(failing.outcome).toMatchObject({ origin: "ca-failing" });
    }
    const slow = await collect({ "/order": [order("processing")] });
    expect(slow.outcome).toMatchObject({ code: "ACME_ORDER_TIMED_OUT" });
  });

  test("is not waited for any more after a while, but its certificate is still taken", async () => {
    for (const answer of [order("processing"), { status: 500 }]) {
      const { outcome, clock } = await collect({ "/order": [answer] }, false);
      expect(outcome).toBeUndefined();
      expect(clock.slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(60_000);
    }
    for (const status of [finished(), order("ready")]) {
      const answers = { "/order": [status], "/finalize": [finished()], "/certificate": [certificate()] };
      expect((await collect(answers, false)).issued).toBeDefined();
    }
  });
});
