import { describe, expect, test } from "vitest";
import { parseState } from "../../../src/store/state-text.ts";

const FAILURE = { code: "ACME_PROBLEM", message: "did not order a.test", remedy: "Wait." };

const WHOLE = {
  schema: 1,
  issue: {
    failures: 3,
    startedAt: "2026-01-01T00:00:00.000Z",
    nextAttemptAt: "2026-01-02T00:00:00.000Z",
    lastFailure: FAILURE,
    lastFailedAt: "2026-01-01T00:00:00.000Z",
    lastSuccessAt: "2025-12-01T00:00:00.000Z",
    lastDirectoryUrl: "https://a.test/dir",
    atCa: { "https://a/dir": { failedAt: "2026-01-01T00:00:00.000Z", origin: "ca-failing", isSeenDown: true } },
    lastNames: "a.test",
    caFailingSince: "2026-01-01T00:00:00.000Z",
    caFailures: 2,
    isFallbackTried: false,
    fallback: { at: "https://b.test/dir", first: "https://a.test/dir" },
    putBack: "CD",
    hastyRenewals: 1,
    settingsDigest: "x",
  },
  renewalInfo: {
    certificateId: "a.b",
    window: { startAt: "2026-02-01T00:00:00.000Z", endAt: "2026-02-03T00:00:00.000Z" },
    renewAt: "2026-02-02T00:00:00.000Z",
    explanationUrl: "https://a.test/why",
    askAgainAt: "2026-01-01T06:00:00.000Z",
    failures: 1,
    problem: "the CA answered 500",
  },
  deploy: {
    "nginx/1": {
      servedFingerprint: "AB",
      servedAt: "2026-01-01T00:00:00.000Z",
      failures: 2,
      nextAttemptAt: "2026-01-01T01:00:00.000Z",
      lastFailure: FAILURE,
      triedFingerprint: "CD",
    },
  },
};

function read(state: object): { readonly state: object; readonly leftOut: string[] } {
  const leftOut: string[] = [];
  return { state: parseState(JSON.stringify(state), leftOut), leftOut };
}

// The paths of all that can be wrong in a state, innermost first: `issue.lastFailure.code`.
function paths(json: object, before = ""): string[] {
  return Object.entries(json).flatMap(([name, value]) => [
    ...(typeof value === "object" ? paths(value as object, `${before}${name}.`) : []),
    `${before}${name}`,
  ]);
}

function withChange(json: object, path: string, value: unknown): object {
  const [name = "", ...rest] = path.split(".");
  const inner = (json as Record<string, object>)[name] ?? {};
  return { ...json, [name]: rest.length === 0 ? value : withChange(inner, rest.join("."), value) };
}

describe("the text of a state", () => {
  test("comes back whole", () => {
    expect(read(WHOLE)).toEqual({ state: WHOLE, leftOut: [] });
  });

  test("may be the one of the version before, which kept the CA's patience in it", () => {
    const issue = { failures: 1, nextAttemptAt: "2026-01-02T00:00:00.000Z", lastFailure: FAILURE };
    const before = { schema: 1, issue: { ...issue, caHolds: { "https://a.test/dir": "2026-01-03T00:00:00.000Z" } } };
    expect(read({ ...before, deploy: {} })).toEqual({ state: { schema: 1, issue, deploy: {} }, leftOut: [] });
  });

  // Whatever is wrong, all but that field, and the object that can't be without it, is read as before.
  const fields = paths(WHOLE).filter((path) => path !== "schema");
  test.each(fields)("loses %s alone when that makes no sense, and says so", (path) => {
    for (const nonsense of [-1, 0.5, "soon", "2026-13-01T00:00:00Z", [], [{}], { at: 1 }]) {
      const { state, leftOut } = read(withChange(WHOLE, path, nonsense));
      if (leftOut.length === 0) continue; // a text for a text
      expect(leftOut.some((one) => one === path || one.startsWith(`${path}.`))).toBe(true);
      const [top = ""] = path.split(".");
      expect({ ...state, [top]: undefined }).toEqual({ ...WHOLE, [top]: undefined });
      expect(JSON.stringify(state)).not.toMatch(/soon|2026-13|NaN|null|\[/);
    }
  });

  test.each([
    ["issue.nextAttemptAt", "tomorrow"],
    ["issue.nextAttemptAt", "1"],
    ["issue.nextAttemptAt", 1_700_000_000],
    ["issue.failures", "three"],
    ["issue.failures", -1],
    ["issue.failures", 1e300],
    ["issue.atCa.https://a/dir.origin", "elsewhere"],
    ["issue.atCa.https://a/dir.isSeenDown", "yes"],
    ["deploy.nginx/1", 7],
    ["renewalInfo.window", { startAt: "2026-02-01T00:00:00.000Z" }],
  ])("leaves out %s = %j", (path, value) => {
    expect(read(withChange(WHOLE, path, value)).leftOut).toContain(path);
  });

  test("keeps a back-off whose count makes no sense", () => {
    const { state } = read(withChange(WHOLE, "issue.failures", "many"));
    expect(state).toMatchObject({ issue: { failures: 1, nextAttemptAt: WHOLE.issue.nextAttemptAt } });
  });

  test("takes an instant as people write it", () => {
    const { state, leftOut } = read(withChange(WHOLE, "issue.nextAttemptAt", "2026-01-02 03:00+03:00"));
    expect({ state, leftOut }).toEqual({ state: WHOLE, leftOut: [] });
  });

  test("has no moment to renew at that lies outside of the CA's window, so the CA is asked for it again", () => {
    const { state } = read(withChange(WHOLE, "renewalInfo.renewAt", "2027-02-02T00:00:00.000Z"));
    expect(state).toMatchObject({ renewalInfo: { certificateId: "a.b" } });
    expect(state).not.toHaveProperty("renewalInfo.window.startAt");
    expect(state).toMatchObject({ renewalInfo: { renewAt: undefined } });
  });

  test("has no renewal information when it doesn't say for when", () => {
    expect(read(withChange(WHOLE, "renewalInfo.askAgainAt", "never")).state).not.toHaveProperty("renewalInfo.failures");
  });

  test("may name a target like a property that every object has", () => {
    const text =
      '{"schema":1,"issue":{"failures":0},"deploy":{"__proto__":{"failures":1},"constructor":{"failures":2}}}';
    const { deploy } = parseState(text, []);
    expect(Object.entries(deploy).map(([name, { failures }]) => [name, failures])).toEqual([
      ["__proto__", 1],
      ["constructor", 2],
    ]);
  });
});
