import { describe, expect, test } from "vitest";
import { attemptsOf, type LineageState } from "../../../src/reconcile/index.ts";
import { parseState } from "../../../src/store/state-text.ts";

const FAILURE = { code: "ACME_PROBLEM", message: "did not order a.test", remedy: "Wait." };

const FAILED = {
  stage: "order",
  outcome: "failed",
  at: "2026-01-01T00:00:00.000Z",
  ca: "https://a.test/dir",
  isFallback: false,
  first: "https://b.test/dir",
  names: "a.test",
  fingerprint: "CD",
  origin: "ca-failing",
  isSeenDown: true,
  row: { since: "2025-12-01T00:00:00.000Z", nth: 2 },
  failures: 3,
  failure: FAILURE,
  nextAttemptAt: "2026-01-02T00:00:00.000Z",
  settingsDigest: "x",
};

const WHOLE = {
  schema: 1,
  tries: [{ stage: "order", outcome: "done", at: "2025-12-01T00:00:00.000Z", failures: 0 }, FAILED],
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

function read(state: object): { readonly state: LineageState; readonly leftOut: string[] } {
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
  const changed = { ...json, [name]: rest.length === 0 ? value : withChange(inner, rest.join("."), value) };
  return Array.isArray(json) ? Object.values(changed) : changed;
}

describe("the text of a state", () => {
  test("comes back whole", () => {
    expect(read(WHOLE)).toEqual({ state: WHOLE, leftOut: [] });
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
      expect(JSON.stringify(state)).not.toMatch(/soon|2026-13|NaN|null|\[\{\}/);
    }
  });

  test.each([
    ["tries.1.nextAttemptAt", "tomorrow"],
    ["tries.1.nextAttemptAt", "1"],
    ["tries.1.nextAttemptAt", 1_700_000_000],
    ["tries.1.failures", "three"],
    ["tries.1.failures", -1],
    ["tries.1.failures", 1e300],
    ["tries.1.origin", "elsewhere"],
    ["tries.1.isSeenDown", "yes"],
    ["deploy.nginx/1", 7],
    ["renewalInfo.window", { startAt: "2026-02-01T00:00:00.000Z" }],
  ])("leaves out %s = %j", (path, value) => {
    expect(read(withChange(WHOLE, path, value)).leftOut).toContain(path);
  });

  test("keeps a back-off whose count makes no sense", () => {
    const { state } = read(withChange(WHOLE, "tries.1.failures", "many"));
    expect(state).toMatchObject({ tries: [{}, { failures: 1, nextAttemptAt: FAILED.nextAttemptAt }] });
  });

  test("takes an instant as people write it", () => {
    const { state, leftOut } = read(withChange(WHOLE, "tries.1.nextAttemptAt", "2026-01-02 03:00+03:00"));
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

describe("a state of a version that kept no list of tries", () => {
  const [CA, OTHER] = ["https://a.test/dir", "https://b.test/dir"];
  const [SUCCESS, BEFORE, LATER] = ["2025-12-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"];
  const fresh = { failures: 0 };
  const issued = { failures: 0, lastSuccessAt: SUCCESS, settingsDigest: "x", lastDirectoryUrl: CA };
  const tried = { nextAttemptAt: LATER, lastFailure: FAILURE, lastFailedAt: BEFORE, lastNames: "a.test" };
  const failing = { ...issued, ...tried, failures: 3, atCa: { [CA]: { failedAt: BEFORE, origin: "proof" } } };
  const down = { failedAt: BEFORE, origin: "ca-failing", isSeenDown: true };
  const atBoth = { atCa: { [CA]: down, [OTHER]: { failedAt: BEFORE, origin: "ca-refused" } }, isFallbackTried: true };
  const caDown = { ...failing, ...atBoth, caFailingSince: SUCCESS, caFailures: 2, lastDirectoryUrl: OTHER };

  test.each([
    ["fresh", fresh],
    ["served", issued],
    ["failing", failing],
    ["failing before there was any certificate", { ...tried, failures: 1, settingsDigest: "x", lastDirectoryUrl: CA }],
    ["interrupted", { ...failing, startedAt: BEFORE }],
    ["with a CA that is down, and a fallback that refuses", caDown],
    ["from the fallback", { ...issued, lastDirectoryUrl: OTHER, fallback: { at: OTHER, first: CA } }],
    ["from the fallback, and failing", { ...caDown, fallback: { at: OTHER, first: CA } }],
    ["hasty", { ...issued, hastyRenewals: 5, nextAttemptAt: LATER }],
    ["due when it arrived", { ...issued, ...tried, lastNames: undefined, failures: 1, lastFailedAt: SUCCESS }],
    ["put back", { ...issued, ...tried, lastNames: undefined, failures: 2, putBack: "CD" }],
    ["put back by a death", { ...issued, putBack: "CD", hastyRenewals: 1, nextAttemptAt: LATER }],
    ["of fields that are no more", { ...failing, caHolds: { [CA]: LATER } }],
  ])("is read as it was: %s", (_, issue) => {
    const { state, leftOut } = read({ schema: 1, issue, deploy: {} });
    expect(attemptsOf(state.tries)).toEqual({ ...issue, caHolds: undefined });
    expect(leftOut).toEqual([]);
  });

  test("keeps a back-off whose count makes no sense, and says what it leaves out", () => {
    const { state, leftOut } = read({ schema: 1, issue: { ...failing, failures: "many" }, deploy: {} });
    expect(attemptsOf(state.tries)).toMatchObject({ failures: 1, nextAttemptAt: LATER });
    expect(leftOut).toEqual(["issue.failures"]);
  });

  test("is passed over where there is a list of tries, however that was edited", () => {
    expect(read({ ...WHOLE, issue: failing }).state).toEqual(WHOLE);
    expect(attemptsOf(read({ ...WHOLE, tries: "none", issue: failing }).state.tries).failures).toBe(3);
  });
});
