import { describe, expect, test } from "vitest";
import { exactSetKey, identifierKey, OperatorError, parseIdentifier } from "../../../src/certificate/index.ts";
import {
  automaticRun,
  decideIssue,
  freshLedger,
  type DesiredCertificate,
  type RunRequest,
} from "../../../src/reconcile/index.ts";
import { aPolicy } from "../../support/a-policy.ts";
import { byWebroot } from "../../support/challenges.ts";

const now = new Date("2026-06-01T00:00:00Z");
const day = (days: number) => new Date(now.getTime() + days * 24 * 3600_000);
const a = parseIdentifier("a.example.org");
const b = parseIdentifier("b.example.org");
const CA = "https://ca/dir";
const policy = aPolicy({
  directoryUrl: CA,
  isStaging: (url) => url.includes("staging"),
  isPublicCa: (url) => url === CA,
  settingsDigest: "one",
});
const around = { ledgerOf: freshLedger, storage: { kind: "lasting" } } as const;
const scheduled = automaticRun("schedule");
const command: RunRequest = { trigger: "command", isForced: false, isRehearsal: false };

class DiskError extends OperatorError {
  readonly code = "STORE_FAILED";
  readonly remedy = "Look at the disk.";
}

type Change = Partial<DesiredCertificate> & { readonly daysLeft?: number };

function desired({ daysLeft = 80, ...change }: Change = {}): DesiredCertificate {
  const validity = { notBefore: day(daysLeft - 90), notAfter: day(daysLeft) };
  const leaf = { fingerprint: "AA", serial: "01", validity, identifiers: [a], issuer: "test" };
  const settings = {
    directoryUrl: "https://ca/dir",
    keyType: "ecdsa-p256",
    challenges: byWebroot("/w"),
    autorenew: true,
    reuseKey: false,
  } as const;
  return {
    lineage: "a.example.org",
    identifiers: [a],
    settings,
    current: { version: 1, leaf },
    currentDirectoryUrl: "https://ca/dir",
    isKeptProduction: false,
    ...change,
  };
}

const decide = (one: DesiredCertificate, request: RunRequest = scheduled, attempts = {}) =>
  decideIssue({ ...around, desired: one, attempts: { failures: 0, ...attempts }, policy, request, now });

describe("what is to be done about a certificate on disk", () => {
  test("a good one waits for its renewal", () => {
    expect(decide(desired())).toEqual({ kind: "current", until: day(50), because: "lifetime-left" });
  });

  test("a missing one is ordered", () => {
    expect(decide(desired({ current: undefined }))).toMatchObject({
      kind: "issue",
      because: "missing",
      directoryUrl: CA,
    });
  });

  test("one with a third of its life left is renewed", () => {
    expect(decide(desired({ daysLeft: 30 }))).toMatchObject({
      kind: "issue",
      because: "lifetime-left",
      directoryUrl: CA,
    });
  });

  test("one with other names than are wanted is ordered anew", () => {
    expect(decide(desired({ identifiers: [a, b] }))).toMatchObject({
      kind: "issue",
      because: "names-changed",
      directoryUrl: CA,
    });
  });

  test("a staging one is replaced at once when production is asked for", () => {
    const staged = desired({ currentDirectoryUrl: "https://staging/dir" });
    expect(decide(staged)).toMatchObject({ kind: "issue", because: "staging-replaced", directoryUrl: CA });
  });

  test("one that the disk doesn't give back is not ordered anew", () => {
    const problem = new DiskError("Input/output error");
    expect(decide(desired({ current: undefined, problem }))).toEqual({ kind: "refused", problem });
  });

  test("--force-renewal orders a good one, autorenew = False or not", () => {
    const { settings } = desired();
    const alone = desired({ settings: { ...settings, autorenew: false } });
    expect(decide(alone)).toEqual({ kind: "left-alone" });
    expect(decide(alone, { ...command, isForced: true })).toMatchObject({
      kind: "issue",
      because: "forced",
      directoryUrl: CA,
    });
  });
});

describe("after a failure", () => {
  const failed = {
    failures: 2,
    nextAttemptAt: day(0.1).toISOString(),
    lastFailedAt: day(-0.1).toISOString(),
    settingsDigest: "one",
  };

  test("nothing is ordered before the retry is due", () => {
    expect(decide(desired({ daysLeft: 5 }), scheduled, failed)).toMatchObject({
      kind: "hold",
      because: "lifetime-left",
      until: day(0.1),
    });
  });

  test("an explicit command tries at once", () => {
    expect(decide(desired({ daysLeft: 5 }), command, failed).kind).toBe("issue");
  });

  test("changed settings are tried at once", () => {
    expect(decide(desired({ daysLeft: 5 }), scheduled, { ...failed, settingsDigest: "other" }).kind).toBe("issue");
  });

  test("a failure in the future, left by a clock that was set back, holds nothing", () => {
    const future = { ...failed, lastFailedAt: day(400).toISOString(), nextAttemptAt: day(401).toISOString() };
    expect(decide(desired({ daysLeft: 5 }), scheduled, future).kind).toBe("issue");
  });

  test("a good certificate isn't held back by an old failure", () => {
    expect(decide(desired(), scheduled, failed).kind).toBe("current");
  });
});

test("while --dry-run stands in the settings nothing is ordered by itself, however due", () => {
  const rehearsal = { ...policy, isRehearsalOnly: true };
  const facts = { ...around, desired: desired({ daysLeft: 1 }), attempts: { failures: 0 }, policy: rehearsal, now };
  expect(decideIssue({ ...facts, request: scheduled })).toEqual({ kind: "rehearsal-only", because: "lifetime-left" });
});

test("at a public CA nothing is ordered while the memory goes with the container; elsewhere it is", () => {
  const storage = { kind: "ephemeral", message: "no volume", remedy: "Mount one." } as const;
  const facts = {
    ...around,
    desired: desired({ current: undefined }),
    attempts: { failures: 0 },
    request: command,
    now,
    storage,
  };
  expect(decideIssue({ ...facts, policy })).toMatchObject({
    kind: "refused",
    problem: { code: "STORAGE_EPHEMERAL", remedy: "Mount one." },
  });
  expect(decideIssue({ ...facts, policy: { ...policy, isPublicCa: () => false } }).kind).toBe("issue");
  // What needs no order is as good as ever.
  expect(decideIssue({ ...facts, policy, request: scheduled, desired: desired() }).kind).toBe("current");
});

describe("what a CA's limits say of an order", () => {
  const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";
  const times = (count: number, at: Date) => Array.from({ length: count }, () => at.toISOString());

  /** What is decided where so much has been spent at Let's Encrypt. */
  function decideThere(options: {
    readonly daysLeft: number;
    readonly orders?: number;
    readonly failedValidations?: number;
    readonly windowEndsAt?: Date;
  }) {
    const { daysLeft, orders = 0, failedValidations = 0, windowEndsAt } = options;
    const plain = desired({ daysLeft });
    const settings = { ...plain.settings, directoryUrl: LETS_ENCRYPT };
    const current = plain.current && { ...plain.current, leaf: { ...plain.current.leaf, certificateId: "id" } };
    const spending = {
      orders: times(orders, now).map((at) => ({ at, names: exactSetKey([a]), isExempt: false, isIssued: true })),
      failedValidations: times(failedValidations, now).map((at) => ({ at, name: identifierKey(a) })),
    };
    const window = windowEndsAt && { startAt: day(-3).toISOString(), endAt: windowEndsAt.toISOString() };
    const renewalInfo = window && {
      certificateId: "id",
      window,
      renewAt: day(-2).toISOString(),
      askAgainAt: day(1).toISOString(),
      failures: 0,
    };
    return decideIssue({
      ...around,
      ledgerOf: (url) => ({ ...freshLedger(url), spending }),
      desired: { ...plain, settings, current, currentDirectoryUrl: LETS_ENCRYPT },
      attempts: { failures: 0 },
      renewalInfo,
      policy: { ...policy, directoryUrl: LETS_ENCRYPT },
      request: scheduled,
      now,
    });
  }

  test("is overridden by a certificate that is about to lapse, but not where its name has just failed five times", () => {
    expect(decideThere({ daysLeft: 4, orders: 5 })).toMatchObject({
      kind: "issue",
      overridden: expect.stringContaining("5 certificates") as string,
    });
    expect(decideThere({ daysLeft: 4, failedValidations: 5 })).toMatchObject({ kind: "hold" });
    expect(decideThere({ daysLeft: 4, orders: 5, failedValidations: 5 })).toMatchObject({ kind: "hold" });
  });

  test("is nothing to a renewal within the window that the CA suggests, and counts for one after it", () => {
    expect(decideThere({ daysLeft: 80, orders: 5, windowEndsAt: day(1) })).toMatchObject({
      kind: "issue",
      isExempt: true,
    });
    expect(decideThere({ daysLeft: 80, orders: 5, windowEndsAt: now })).toMatchObject({ kind: "hold" });
    expect(decideThere({ daysLeft: 80, windowEndsAt: now })).toMatchObject({ kind: "issue", isExempt: false });
  });
});

test("a wildcard is ordered where a DNS-01 challenge proves it, and else refused", () => {
  const identifiers = ["a.example.org", "*.a.example.org"].map(parseIdentifier);
  const missing = desired({ identifiers, current: undefined });
  const dns = { names: ["*.a.example.org"], kind: "dns-01:x", type: "dns-01", settings: undefined } as const;
  const { settings } = missing;
  const provable = { ...missing, settings: { ...settings, challenges: [dns, ...settings.challenges] } };
  expect(decide(missing)).toMatchObject({ kind: "refused", problem: { code: "CHALLENGE_IMPOSSIBLE" } });
  expect(decide(provable)).toMatchObject({ kind: "issue", because: "missing" });
});
