import { describe, expect, test } from "vitest";
import { inspect, isReached, type RunReport, type Target, type Version } from "../../../src/reconcile/index.ts";
import { CaFailure, DAY, deploys, MINUTE, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";
import { TestTarget } from "../../support/test-target.ts";

const NEVER = new AbortController().signal;

/** A stage with nginx-1, nginx-2 and nginx-3, all of which serve what is on disk; the certificate is due. */
async function threeTargets() {
  const stage = await reconcileStage();
  const others = [2, 3].map((number) => new TestTarget(stage.root, `nginx-${number}`));
  stage.targets = [stage.nginx, ...others];
  expect(isReached(await stage.run())).toBe(true);
  stage.pass(61 * DAY);
  return { stage, all: [stage.nginx, ...others] as [TestTarget, TestTarget, TestTarget] };
}

/** Makes a target take so long for one of its steps. */
function hang(stage: ReconcileStage, target: TestTarget, step: "tlsCheck" | "check" | "apply", ms: number): void {
  const tlsCheck = target.tlsCheck.bind(target);
  if (step !== "tlsCheck") target.before = (doing) => (doing === step ? stage.sleep(ms) : undefined);
  else target.tlsCheck = (certificate) => stage.sleep(ms).then(() => tlsCheck(certificate));
}

describe("three targets, of which two take half a minute", () => {
  test.each(["tlsCheck", "check", "apply"] as const)(
    "for the %s: the third is served at once, and nobody waits for the sum",
    async (step) => {
      const { stage, all } = await threeTargets();
      const [first, second, quick] = all;
      for (const slow of [first, second]) hang(stage, slow, step, 30_000);
      const startedAtMs = stage.now().getTime();
      let servedAfterMs: number | undefined;
      const apply = quick.apply.bind(quick);
      quick.apply = (behind) => {
        servedAfterMs = stage.now().getTime() - startedAtMs;
        return apply(behind);
      };
      const report = await stage.run();
      expect(deploys(report)).toEqual(all.map(({ name }) => `${name} a.test deployed`));
      expect(servedAfterMs).toBeLessThan(5000);
      // A TLS check is made three times: before, after, and a moment later.
      expect(stage.now().getTime() - startedAtMs).toBeLessThan(step === "tlsCheck" ? 95_000 : 35_000);
    },
  );
});

describe("a target that takes over by itself", () => {
  test("is waited for until it serves, and nothing is said of a test or a reload", async () => {
    const stage = await reconcileStage();
    const nginx = new TestTarget(stage.root);
    const tlsCheck = nginx.tlsCheck.bind(nginx);
    let looks = 0;
    const idle: Target = {
      name: "nginx-1",
      takesOverItself: true,
      wants: () => true,
      check: async () => {},
      apply: async () => new Map(),
      tlsCheck: (certificate, signal) => {
        looks += 1;
        if (looks === 6) nginx.restart();
        return tlsCheck(certificate, signal);
      },
    };
    stage.targets = [idle];
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed"]);
    expect(looks).toBeGreaterThanOrEqual(6);
    expect([...stage.told("target.reloaded"), ...stage.told("configuration.tested")]).toEqual([]);
    expect(stage.told("target.served")).toHaveLength(1);
  });
});

test("a target alone tests and applies at once; beside others it waits for their word in between", async () => {
  const stage = await reconcileStage();
  await stage.run();
  expect([stage.nginx.both, stage.nginx.reloads]).toEqual([1, 1]);
  const { all } = await threeTargets();
  for (const { both, reloads } of all) expect([both, reloads]).toEqual([0, 1]);
});

describe("what one target refuses", () => {
  test("is given to none of the others, in whatever order they are found", async () => {
    for (const order of [0, 1, 2]) {
      const { stage, all } = await threeTargets();
      const picky = all[order] as TestTarget; // one of three
      picky.refuses = (_, version) => version > 1;
      hang(stage, picky, "check", 1000);
      expect(deploys(await stage.run())).toEqual([`${picky.name} a.test failed`]);
      for (const target of all) expect(target.served()).toEqual(["a.test=a.test/1"]);
    }
  });

  test("by all of them is blamed once", async () => {
    const { stage, all } = await threeTargets();
    for (const target of all) target.refuses = (_, version) => version > 1;
    expect(deploys(await stage.run())).toHaveLength(1);
    expect(stage.told("lineage.restored")).toHaveLength(1);
  });

  test("is never loaded by another while it is looked for who is guilty", async () => {
    const stage = await reconcileStage({ domains: "a.test;b.test" });
    const [picky, slow] = [stage.nginx, new TestTarget(stage.root, "nginx-2")];
    stage.targets = [picky, slow];
    await stage.run();
    stage.pass(61 * DAY);
    picky.refuses = (lineage, version) => lineage === "a.test" && version > 1;
    // Its tests take so long that the other one waits for its word no longer, and would go on with what is shown for a test.
    hang(stage, picky, "check", 1500);
    hang(stage, slow, "check", 2600);
    const shown = new Set<string>();
    slow.refuses = (lineage, version) => shown.add(`${lineage}/${version}`) && false;
    await stage.run();
    expect([...shown].sort()).toEqual(["a.test/1", "a.test/2", "b.test/2"]);
    expect(slow.reloads).toBe(2);
    expect(slow.served()).toEqual(["a.test=a.test/1", "b.test=b.test/2"]);
    expect(picky.served()).toEqual(slow.served());
  });
});

test("a target without HTTPS is no failure; in the log it is a warning where no operator has asked for that", async () => {
  const stage = await reconcileStage();
  stage.targets = [];
  stage.off = [
    { name: "asked", reason: "by a setting" },
    { name: "broken", reason: "by a fault", isFault: true },
  ];
  expect((await stage.run()).targetsOff).toEqual(stage.off);
  const skipped = stage.log.lines.filter(({ event }) => event === "target.skipped");
  expect(skipped.map(({ level, fields }) => [level, fields["target"]])).toEqual([
    ["debug", "asked"],
    ["warn", "broken"],
  ]);
});

test("what several targets serve is remembered of each, though all are checked at the same moment", async () => {
  const { stage, all } = await threeTargets();
  stage.pass(-60 * DAY);
  stage.targets = all.map(({ name }) => new TestTarget(stage.root, `other-${name}`));
  for (const target of stage.targets as TestTarget[]) target.restart();
  expect(isReached(await stage.run())).toBe(true);
  const { deploy } = await stage.parts().store.loadState("a.test");
  const names = ["nginx-1", "nginx-2", "nginx-3"];
  expect(Object.keys(deploy).sort()).toEqual([...names, ...names.map((name) => `other-${name}`)]);
  expect(stage.told("state.unsaved")).toEqual([]);
});

test("a target is given the certificates that it wants, and status asks it for the same", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test" });
  const other = new TestTarget(stage.root, "nginx-2");
  stage.targets = [stage.nginx, other];
  other.wants = (lineage) => lineage === "b.test";
  expect(deploys(await stage.run())).toEqual([
    "nginx-1 a.test deployed",
    "nginx-1 b.test deployed",
    "nginx-2 b.test deployed",
  ]);
  const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
  expect(certificates.map(({ targets }) => targets.map(({ name }) => name))).toEqual([
    ["nginx-1"],
    ["nginx-1", "nginx-2"],
  ]);
});

/** A target that nobody can ask what it serves: it keeps a copy of what it was given. */
class Copies implements Target {
  readonly name = "copies";
  readonly taken: string[] = [];
  fails = false;
  isCostly = false;
  /** What can be seen of what it was given; unset: nothing. */
  keeps?: NonNullable<Target["keeps"]>;
  /** Called before it takes anything. */
  before = () => undefined as void;
  wants = () => true;
  check = async () => undefined;

  async apply(behind: readonly Version[]) {
    this.before();
    for (const { lineage, version, pair } of behind) {
      const { chainPem, privateKeyPem } = await pair();
      this.taken.push(`${lineage}/${version} ${chainPem.length > 0 && privateKeyPem.includes("PRIVATE KEY")}`);
    }
    return new Map(this.fails ? behind.map(({ lineage }) => [lineage, new CaFailure()]) : []);
  }
}

async function withCopies() {
  const stage = await reconcileStage();
  const copies = new Copies();
  stage.targets = [stage.nginx, copies];
  return { stage, copies };
}

describe("a target that can't be asked what it serves", () => {
  test("is given each new version once, with its key and chain", async () => {
    const { stage, copies } = await withCopies();
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test deployed", "copies a.test deployed"]);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test served"]);
    stage.pass(61 * DAY);
    await stage.run();
    await stage.command();
    expect(copies.taken).toEqual(["a.test/1 true", "a.test/2 true"]);
  });

  test("is never said to serve it: nobody has seen that", async () => {
    const { stage } = await withCopies();
    const unseen = (report: RunReport) => report.deploys.map(({ target, isUnseen }) => [target, isUnseen]);
    const both = [
      ["nginx-1", undefined],
      ["copies", true],
    ];
    expect(unseen(await stage.run())).toEqual(both);
    expect(unseen(await stage.run())).toEqual(both);
    expect(stage.told("target.served").map(({ target }) => target)).toEqual(["nginx-1"]);
    expect(stage.told("target.told").map(({ target }) => target)).toEqual(["copies"]);
    const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
    const findings = [{ kind: "served" }, { kind: "served", isUnseen: true }];
    expect(certificates[0]?.targets.map(({ finding }) => finding)).toEqual(findings);
  });

  test("that is new isn't given what was on disk before it", async () => {
    const { stage, copies } = await withCopies();
    stage.targets = [stage.nginx];
    await stage.run();
    stage.targets = [stage.nginx, copies];
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test served"]);
    stage.pass(61 * DAY);
    await stage.run();
    expect(copies.taken).toEqual(["a.test/2 true"]);
  });

  test("is tried again when it fails, and status says so", async () => {
    const { stage, copies } = await withCopies();
    copies.fails = true;
    const report = await stage.run();
    expect(deploys(report)).toEqual(["nginx-1 a.test deployed", "copies a.test failed"]);
    const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
    expect(certificates[0]?.targets.map(({ finding }) => finding.kind)).toEqual(["served", "not-served"]);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test held"]);
    copies.fails = false;
    stage.pass(MINUTE);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test deployed"]);
  });

  test("is given again what can be seen to have gone from it, and what it never had", async () => {
    const { stage, copies } = await withCopies();
    const lost = { kind: "not-served", message: "its file is gone", remedy: "Wait." } as const;
    let has = "";
    const before = copies.apply.bind(copies);
    copies.apply = (behind) => {
      has = behind[0]?.fingerprint ?? "";
      return before(behind);
    };
    copies.keeps = async ({ fingerprint }) => (has === fingerprint ? { kind: "served" } : lost);
    stage.targets = [stage.nginx];
    await stage.run();
    stage.targets = [stage.nginx, copies];
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test deployed"]);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test served"]);
    has = "";
    const { certificates } = await inspect(stage.parts(), { signal: NEVER, withTargets: true });
    expect(certificates[0]?.targets[1]?.finding).toEqual(lost);
    expect(deploys(await stage.run())).toEqual(["nginx-1 a.test served", "copies a.test deployed"]);
  });

  test.each([
    [false, "target-started", "copies a.test deployed"],
    [true, "target-started", "copies a.test held"],
    [true, "start", "copies a.test held"],
    [true, "command", "copies a.test deployed"],
  ] as const)(
    "is given what it failed to take when it starts, but where that is costly (%s, %s: %s)",
    async (...row) => {
      const [isCostly, trigger, what] = row;
      const { stage, copies } = await withCopies();
      copies.isCostly = isCostly;
      copies.fails = true;
      await stage.run();
      copies.fails = false;
      expect(deploys(await stage.run({ trigger }))).toEqual(["nginx-1 a.test served", what]);
    },
  );

  test.each(["first", "later"])(
    "loses no version to a death at any call from the order on (%s version)",
    async (which) => {
      for (let dieAt = 1, hasDied = true; hasDied; dieAt += 1) {
        const { stage, copies } = await withCopies();
        if (which === "later") {
          await stage.run();
          stage.pass(61 * DAY);
        }
        let calls = 0;
        let isOrdered = false;
        stage.ca.sign = () => void (isOrdered = true);
        const step = () => {
          if (isOrdered && (calls += 1) >= dieAt) throw new Error("dead");
        };
        stage.onDisk = step;
        copies.before = step;
        await stage.run();
        hasDied = calls >= dieAt;
        stage.onDisk = () => undefined;
        copies.before = () => undefined;
        await stage.command();
        const [stored] = await stage.parts().store.list();
        expect(copies.taken.at(-1)).toBe(`a.test/${stored?.current?.version} true`);
      }
    },
  );
});
