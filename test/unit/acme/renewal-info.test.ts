import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { scriptedAuthority } from "../../support/scripted-order.ts";

const NOW = new Date("2026-11-22T01:00:00Z");
const ID = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => {
  server.forget();
  server.offer({ renewalInfo: "renewal-info" });
});
afterEach(() => server.answerUnsigned(() => undefined));
afterAll(() => server.stop());

/** What is made of an answer to the question for renewal information. */
async function ask(answer: ScriptedAnswer | "hang", more: { signal?: AbortSignal; directoryUrl?: string } = {}) {
  server.answerUnsigned(({ path }) => (path.startsWith("/renewal-info") ? answer : undefined));
  const { authority } = await scriptedAuthority(server, NOW);
  const { signal = new AbortController().signal, directoryUrl = server.directoryUrl } = more;
  return authority.renewalInfo(directoryUrl, ID, signal);
}

const START = "2026-12-01T00:00:00Z";
const END = "2026-12-02T00:00:00Z";
const info = (body: unknown, headers: Readonly<Record<string, string>> = {}): ScriptedAnswer => ({
  status: 200,
  headers,
  body,
});
const windowOf = (start: unknown, end: unknown) => info({ suggestedWindow: { start, end } });

describe("renewal information", () => {
  test("is asked for by the certificate's id, unsigned, and says when to renew and when to ask again", async () => {
    const explanationURL = "https://ca.test/incident/7";
    const headers = { "Retry-After": "21600" };
    expect(await ask(info({ suggestedWindow: { start: START, end: END }, explanationURL }, headers))).toEqual({
      kind: "window",
      startAt: new Date(START),
      endAt: new Date(END),
      explanationUrl: explanationURL,
      askAgainAt: new Date("2026-11-22T07:00:00Z"),
    });
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /directory",
      `GET /renewal-info/${ID}`,
    ]);
  });

  test("is asked for at the same address where the directory's ends with a slash", async () => {
    server.offer({ renewalInfo: "renewal-info/" });
    await ask(windowOf(START, END));
    expect(server.requests.at(-1)?.path).toBe(`/renewal-info/${ID}`);
  });

  test("with a date in Retry-After, or none, or nonsense, is taken all the same", async () => {
    const askAgain = async (retryAfter: string) => {
      const headers = { "Retry-After": retryAfter };
      const answer = await ask(info({ suggestedWindow: { start: START, end: END } }, headers));
      return answer.kind === "window" ? answer.askAgainAt?.toISOString() : answer;
    };
    expect(await askAgain("Sun, 22 Nov 2026 13:00:00 GMT")).toBe("2026-11-22T13:00:00.000Z");
    expect(await askAgain("")).toBeUndefined();
    expect(await askAgain("soon")).toBeUndefined();
    expect(await askAgain("99999999999")).toBe("2026-12-23T01:00:00.000Z");
  });

  test.each([
    ["in the past", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
    ["with fractions of seconds and an offset", "2026-12-01T00:00:00.123456789+02:00", "2026-12-01T00:00:00-08:00"],
    ["in small letters", "2026-12-01t00:00:00z", "2026-12-02t00:00:00z"],
  ])("with a window %s is taken", async (_how, start, end) => {
    expect(await ask(windowOf(start, end))).toMatchObject({ kind: "window" });
  });

  test("that explains itself by something else than a web page does so by nothing", async () => {
    for (const explanationURL of ["javascript:alert(1)", "see our blog", 7, `https://ca.test/${"x".repeat(3000)}`]) {
      const answer = await ask(info({ suggestedWindow: { start: START, end: END }, explanationURL }));
      expect(answer).toMatchObject({ kind: "window", explanationUrl: undefined });
    }
  });

  test("isn't asked for at a CA that has none", async () => {
    server.offer({});
    expect(await ask(windowOf(START, END))).toEqual({ kind: "unsupported" });
    expect(server.requests.map(({ path }) => path)).toEqual(["/directory"]);
  });
});

describe("what is no answer for long", () => {
  test.each<[string, ScriptedAnswer, RegExp]>([
    ["a window that ends before it begins", windowOf(END, START), /ends at 2026-12-01T00:00:00.000Z, before it begins/],
    ["a window without a length", windowOf(START, START), /before it begins/],
    ["a day alone", windowOf("2026-12-01", END), /no times of RFC 3339/],
    ["a time without its zone", windowOf("2026-12-01T00:00:00", END), /no times/],
    ["a day that isn't in the calendar", windowOf("2026-02-30T00:00:00Z", END), /no times/],
    ["a number of seconds", windowOf(1_796_083_200, 1_796_169_600), /no times/],
    ["an object without a window", info({ hello: "world" }), /without a suggestedWindow/],
    ["a list", info([]), /without a suggestedWindow/],
    ["a web page", info("<html>Welcome</html>"), /without a suggestedWindow/],
    [
      "404",
      { status: 404, body: { type: "urn:ietf:params:acme:error:malformed", detail: "no such\ncertificate" } },
      /no such certificate/,
    ],
    ["429", { status: 429, headers: { "Retry-After": "60" }, body: "" }, /429/],
    ["503 with a time", { status: 503, headers: { "Retry-After": "60" }, body: "" }, /503/],
    [
      "a redirect",
      { status: 301, headers: { Location: "https://else.test/" }, body: "" },
      /redirect to https:\/\/else/,
    ],
    ["a body without an end", { status: 200, body: "x".repeat(1024 * 1024 + 1) }, /longer than/],
  ])("is %s", async (_what, answer, reason) => {
    const answered = await ask(answer);
    expect(answered).toEqual({ kind: "long-term", reason: expect.stringMatching(reason) });
  });

  test("is a CA where nothing listens, whose name doesn't exist, or that isn't one", async () => {
    for (const directoryUrl of ["https://127.0.0.1:1/dir", "https://nowhere.invalid/dir", `${server.origin}/other`]) {
      server.answerUnsigned(() => ({ status: 404, body: "" }));
      const { authority } = await scriptedAuthority(server, NOW);
      const answer = await authority.renewalInfo(directoryUrl, ID, new AbortController().signal);
      expect({ directoryUrl, kind: answer.kind }).toEqual({ directoryUrl, kind: "long-term" });
    }
  });
});

describe("what is no answer for a moment", () => {
  test.each<[string, ScriptedAnswer | "hang"]>([
    ["500", { status: 500, body: "" }],
    ["503 without a time", { status: 503, body: "" }],
    ["silence", "hang"],
  ])("is %s", async (_what, answer) => {
    expect(await ask(answer)).toMatchObject({ kind: "temporary" });
  });

  test("is a directory that fails", async () => {
    server.answerUnsigned(() => ({ status: 502, body: "" }));
    const { authority } = await scriptedAuthority(server, NOW);
    const answer = await authority.renewalInfo(server.directoryUrl, ID, new AbortController().signal);
    expect(answer).toMatchObject({ kind: "temporary", reason: expect.stringContaining("502") });
  });

  test("is a line that breaks in the middle", async () => {
    const broken = await startScriptedCa();
    try {
      broken.answerWith((_request, response) => void response.destroy());
      const { authority } = await scriptedAuthority(broken, NOW);
      const answer = await authority.renewalInfo(broken.directoryUrl, ID, new AbortController().signal);
      expect(answer).toMatchObject({ kind: "temporary" });
    } finally {
      await broken.stop();
    }
  });
});

describe("a question that failed", () => {
  test("has the directory asked for anew next time: the address may have changed", async () => {
    const { authority } = await scriptedAuthority(server, NOW);
    const again = () => authority.renewalInfo(server.directoryUrl, ID, new AbortController().signal);
    server.answerUnsigned(({ path }) => (path.startsWith("/renewal-info") ? { status: 404, body: "" } : undefined));
    await again();
    server.offer({ renewalInfo: "moved" });
    server.answerUnsigned(({ path }) => (path.startsWith("/moved") ? windowOf(START, END) : undefined));
    expect(await again()).toMatchObject({ kind: "window" });
  });

  test("by an abort, ends with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    const asked = ask("hang", { signal: controller.signal });
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });
});
