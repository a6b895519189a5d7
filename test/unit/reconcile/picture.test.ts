import { expect, test } from "vitest";
import { pictureOf, type Picture, type Sight } from "../../../src/reconcile/picture.ts";
import { inspect, isReached, type CertificateReport } from "../../../src/reconcile/index.ts";
import { DAY, HOUR, reconcileStage } from "../../support/reconcile-stage.ts";

const now = new Date("2026-06-01T00:00:00Z");
const day = (days: number) => new Date(now.getTime() + days * DAY);
const failure = { code: "ACME_UNREACHABLE", message: "the CA is down", remedy: "Wait." };

function sight(certificate: Partial<CertificateReport> = {}, rest: Partial<Sight> = {}): Sight {
  const validity = { notBefore: day(-10), notAfter: day(80) };
  const one: CertificateReport = { lineage: "a.test", identifiers: [], outcome: "not-due", validity, ...certificate };
  return { certificates: [one], deploys: [], ...rest };
}

const judged = (seen: Sight) => {
  const { isWell, problems } = pictureOf(seen, now);
  const isReachedByRun = isReached({ ...seen, startedAt: now, finishedAt: now, targetsOff: [] });
  return { isWell, isReachedByRun, problems };
};
const ended = { notBefore: day(-91), notAfter: day(-1) };

test("all is well where each certificate is good and served", () => {
  const deploys = [{ target: "nginx-1", lineage: "a.test", outcome: "deployed" } as const];
  expect(judged(sight({}, { deploys }))).toEqual({ isWell: true, isReachedByRun: true, problems: [] });
});

test("a renewal that failed in time is a problem and no alarm: visitors see a good certificate", () => {
  expect(judged(sight({ outcome: "held", failure }))).toEqual({
    isWell: true,
    isReachedByRun: false,
    problems: [
      {
        ...failure,
        message: "a.test has no new version: the CA is down",
        lineage: "a.test",
        isUnreached: true,
        isAlarm: false,
      },
    ],
  });
});

test("a certificate that ends though no try has failed is an alarm that says what to do", () => {
  const { isWell, isReachedByRun, problems } = judged(sight({ outcome: "left-alone", validity: ended }));
  expect([isWell, isReachedByRun]).toEqual([false, true]);
  expect(problems).toEqual([
    {
      code: "CERTIFICATE_LAPSING",
      message: `a.test expired at ${day(-1).toISOString()}`,
      remedy: expect.stringContaining("status"),
      lineage: "a.test",
      isUnreached: false,
      isAlarm: true,
    },
  ]);
});

test.each<[string, Partial<Sight>, object]>([
  ["a run that failed", { certificates: [], failure }, failure],
  ["a target that is missing", { missing: [{ name: "nginx", failure }] }, { ...failure, target: "nginx" }],
  [
    "a target that doesn't serve it",
    { deploys: [{ target: "nginx-1", lineage: "a.test", outcome: "held", failure }] },
    { ...failure, message: "nginx-1 doesn't serve a.test: the CA is down", target: "nginx-1", lineage: "a.test" },
  ],
])("%s leaves nothing well, with the code and the remedy of why", (_, rest, problem) => {
  const problems = [{ ...problem, isUnreached: true, isAlarm: true }];
  expect(judged(sight({}, rest))).toEqual({ isWell: false, isReachedByRun: false, problems });
});

test("a wrong clock is an alarm, whatever else is well", () => {
  const { isWell, isReachedByRun, problems } = judged(sight({}, { clockAheadMs: -3600_000 }));
  expect([isWell, isReachedByRun]).toEqual([true, true]);
  expect(problems).toMatchObject([{ code: "CLOCK_WRONG", message: expect.stringContaining("60 minutes ahead") }]);
});

test("who asks gets the same judgement as a run, with what the targets serve at that moment", async () => {
  const stage = await reconcileStage();
  const { signal } = new AbortController();
  const ask = async () => (await inspect(stage.parts(), { signal, withTargets: true })).picture;
  expect(await ask()).toMatchObject({
    isWell: false,
    problems: [{ message: "a.test has no certificate", isAlarm: true, isUnreached: true }],
  });
  await stage.run();
  expect(await ask()).toMatchObject({ isWell: true, problems: [], at: stage.now() });
  stage.nginx.hides = () => true;
  expect(await ask()).toMatchObject({
    isWell: false,
    problems: [{ code: "TARGET_NOT_SERVED", target: "nginx-1", lineage: "a.test" }],
  });
});

// The version before is served and good: that is a renewal that failed, by whatever.
test("what was put back is judged alike by the run that tries it and by those in between: an alarm once it may come too late", async () => {
  const stage = await reconcileStage();
  await stage.run();
  stage.pass(73 * DAY);
  stage.nginx.refuses = (_, version) => version > 1;
  const reports = await stage.live(4 * DAY, { everyMs: 6 * HOUR });
  const pictures = reports.map((report) => pictureOf(report, report.finishedAt));
  const isAlarm = ({ problems }: Picture) => problems.some((one) => one.isAlarm);
  const late = pictures.findIndex(isAlarm);
  const lastedMs = (pictures[late]?.at.getTime() ?? 0) - (pictures[0]?.at.getTime() ?? 0);
  expect(Math.round(90 - 73 - lastedMs / DAY)).toBe(15);
  expect(pictures.slice(late).every(isAlarm)).toBe(true);
  const told = pictures.map(({ isWell, problems }) => ({ isWell, problems }));
  const problem = { code: "TARGET_CERTIFICATE_REJECTED", lineage: "a.test", isUnreached: true };
  expect(told).toMatchObject(told.map(() => ({ isWell: true, problems: [problem] })));
});
