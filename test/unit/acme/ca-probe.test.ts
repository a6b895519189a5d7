import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { watchCaClock } from "../../../src/acme/ca-clock.ts";
import { createCertificateAuthority } from "../../../src/acme/index.ts";
import type { HttpReply } from "../../../src/ports/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { scriptedAuthority } from "../../support/scripted-order.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterEach(() => server.answerUnsigned(() => undefined));
afterAll(() => server.stop());

const live = () => new AbortController().signal;

describe("a probe of a CA", () => {
  test("asks for its directory and a nonce, anew each time", async () => {
    const { authority } = await scriptedAuthority(server);
    expect(await authority.isAnswering(server.directoryUrl, live())).toBe(true);
    expect(await authority.isAnswering(server.directoryUrl, live())).toBe(true);
    const asked = server.requests.map(({ method, path }) => `${method} ${path}`);
    const probe = ["GET /directory", "HEAD /newNonce"];
    expect(asked).toEqual([...probe, ...probe]);
  });

  test.each<[string, string, ScriptedAnswer]>([
    ["its directory is a web page", "/directory", { status: 200, body: "<html>" }],
    ["its directory fails", "/directory", { status: 503, headers: { "Retry-After": "60" } }],
    ["its nonces fail", "/newNonce", { status: 500 }],
    ["it has no nonces", "/newNonce", { status: 200, headers: { "Replay-Nonce": "" } }],
    ["it asks for patience", "/newNonce", { status: 429 }],
  ])("sees that it doesn't answer when %s", async (_how, path, answer) => {
    server.answerUnsigned((request) => (request.path === path ? answer : undefined));
    const { authority } = await scriptedAuthority(server);
    expect(await authority.isAnswering(server.directoryUrl, live())).toBe(false);
  });

  test("at a CA that is gone sees so", async () => {
    const { authority } = await scriptedAuthority(server);
    expect(await authority.isAnswering("https://127.0.0.1:1/dir", live())).toBe(false);
  });

  test("by somebody who is told to stop, ends with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    server.answerUnsigned(() => "hang");
    const { authority } = await scriptedAuthority(server);
    const probe = authority.isAnswering(server.directoryUrl, controller.signal);
    controller.abort(reason);
    await expect(probe).rejects.toBe(reason);
  });
});

test("a CA in the same process is asked by the exchange that is given", async () => {
  const asked: string[] = [];
  const resources = { newNonce: "https://ca.test/n", newAccount: "https://ca.test/a", newOrder: "https://ca.test/o" };
  const authority = createCertificateAuthority({
    accounts: createAccountStore({ root: await folderInMemory() }),
    solverFor: () => {
      throw new Error("nothing is proven here");
    },
    clock: instantClock(),
    lookUpCaa: async () => [],
    http: async ({ url, method }) => {
      asked.push(`${method} ${url}`);
      return { status: 200, headers: { "replay-nonce": "one" }, text: JSON.stringify(resources) };
    },
  });
  expect(await authority.isAnswering("https://ca.test/directory", live())).toBe(true);
  expect(asked).toEqual(["GET https://ca.test/directory", "HEAD https://ca.test/n"]);
});

describe("the CA's clock", () => {
  const NOW = new Date("2026-11-22T01:00:00Z");
  const told = (date: string | undefined, more: Readonly<Record<string, string>> = {}): HttpReply => ({
    status: 200,
    headers: { ...more, date },
    text: "",
  });

  /** What is known after these replies, each of which takes `tripMs`. */
  async function ahead(replies: readonly HttpReply[], tripMs = 0) {
    const clock = instantClock(NOW);
    const left = [...replies];
    const watch = watchCaClock(async ({ signal }) => {
      await clock.sleep(tripMs, signal);
      return left.shift() ?? told(undefined);
    }, clock);
    while (left.length > 0) await watch.transport({ url: "https://ca.test/", method: "GET", signal: live() });
    return watch.aheadMs();
  }

  test("is unknown before the first answer", async () => {
    expect(await ahead([])).toBeUndefined();
  });

  test("is that of the last Date header, at the middle of request and reply", async () => {
    expect(await ahead([told("Sun, 22 Nov 2026 01:00:00 GMT")])).toBe(0);
    expect(await ahead([told("Sun, 22 Nov 2026 06:00:03 GMT")], 6000)).toBe(5 * 3600 * 1000);
    const replies = [told("Sun, 22 Nov 2026 06:00:00 GMT"), told("Sun, 22 Nov 2026 00:59:00 GMT")];
    expect(await ahead(replies)).toBe(-60_000);
  });

  test.each<[string, HttpReply]>([
    ["a reply without one", told(undefined)],
    ["one that can't be read", told("yesterday at 12")],
    ["one of another form", told("2026-11-22T09:00:00Z")],
    ["one of the 40th of November", told("Sun, 40 Nov 2026 09:00:00 GMT")],
    ["a reply from a cache", told("Sun, 22 Nov 2026 00:00:00 GMT", { age: "3600" })],
  ])("is not changed by %s", async (_what, reply) => {
    expect(await ahead([told("Sun, 22 Nov 2026 02:00:00 GMT"), reply])).toBe(3600 * 1000);
  });

  test("is seen in whatever the CA is asked", async () => {
    const now = new Date();
    const { authority } = await scriptedAuthority(server, new Date(now.getTime() - 5 * 3600 * 1000));
    expect(authority.clockAheadMs()).toBeUndefined();
    await authority.isAnswering(server.directoryUrl, live());
    expect(Math.abs((authority.clockAheadMs() ?? 0) - 5 * 3600 * 1000)).toBeLessThan(30_000);
  });
});
