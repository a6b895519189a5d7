import { expect, test } from "vitest";
import { assessHealth, type CertificateReport, type RunReport } from "../../../src/reconcile/index.ts";

const now = new Date("2026-06-01T00:00:00Z");
const day = (days: number) => new Date(now.getTime() + days * 24 * 3600_000);
const failure = { code: "ACME_UNREACHABLE", message: "the CA is down", remedy: "Wait." };

function report(certificate: Partial<CertificateReport> = {}, rest: Partial<RunReport> = {}): RunReport {
  const validity = { notBefore: day(-10), notAfter: day(80) };
  const one: CertificateReport = { lineage: "a.test", identifiers: [], outcome: "not-due", validity, ...certificate };
  return { startedAt: now, finishedAt: now, certificates: [one], deploys: [], targetsOff: [], ...rest };
}

const problems = (lastReport: RunReport) => assessHealth({ now, loop: { lastReport } }).problems;

test("a served certificate with most of its life left is healthy", () => {
  const deploys = [{ target: "nginx-1", lineage: "a.test", outcome: "served" } as const];
  expect(assessHealth({ now, loop: { lastReport: report({}, { deploys }) } })).toEqual({
    isHealthy: true,
    problems: [],
  });
});

test("nobody is told that all is well before the first check has finished", () => {
  expect(assessHealth({ now, loop: {} }).isHealthy).toBe(false);
});

test("a failed renewal is no alarm while more than a sixth of the life is left, and one before the end", () => {
  const left = (days: number) =>
    ({ outcome: "failed", failure, validity: { notBefore: day(days - 90), notAfter: day(days) } }) as const;
  expect(problems(report(left(16)))).toEqual([]);
  expect(problems(report(left(14)))).toEqual([
    expect.stringMatching(/a\.test ends at .* is not renewed: the CA is down/),
  ]);
  expect(problems(report(left(-1)))).toEqual([expect.stringMatching(/a\.test expired at .*: the CA is down/)]);
});

test("a missing certificate and one that isn't served are named", () => {
  expect(problems(report({ outcome: "failed", failure, validity: undefined }))).toEqual([
    "a.test has no certificate: the CA is down",
  ]);
  const deploys = [{ target: "nginx-1", lineage: "a.test", outcome: "held", failure } as const];
  expect(problems(report({}, { deploys }))).toEqual(["nginx-1 doesn't serve a.test: the CA is down"]);
  expect(problems(report({}, { missing: [{ name: "nginx", failure }] }))).toEqual(["the CA is down"]);
});

test("a loop that stalls is named, whether it runs too long or doesn't wake", () => {
  const lastReport = report();
  const running = { lastReport, runningSince: new Date(now.getTime() - 31 * 60_000) };
  expect(assessHealth({ now, loop: running }).problems).toEqual([expect.stringContaining("has been running since")]);
  const asleep = { lastReport, wakeAt: new Date(now.getTime() - 11 * 60_000) };
  expect(assessHealth({ now, loop: asleep }).problems).toEqual([expect.stringContaining("hasn't begun")]);
});
