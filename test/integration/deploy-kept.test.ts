import { afterEach, beforeEach, expect, test } from "vitest";
import { createDeployment } from "../../src/target/index.ts";
import { deployToTarget } from "../../src/reconcile/deploy/deploy.ts";
import { DeployRound } from "../../src/reconcile/deploy/round.ts";
import type { DeployReport } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { collectLog } from "../support/collected-log.ts";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { engineUnderTest } from "../support/engine-address.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { overwrite } from "../support/overwrite.ts";
import { poll } from "../support/poll.ts";
import type { TestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

// nginx 1.27.4 and newer takes a certificate over from before a reload when its file has the same modification time and inode.
const NEVER = new AbortController().signal;
const LIVE = "/etc/letsencrypt/live/a.test";

let project: HandMadeProject;
let tree: TestStore;
beforeEach(async () => {
  tree = await openTestStore();
  await tree.store.install(newVersion("a.test"), new Date());
  project = await createHandMadeProject(await renewInPlace());
});
afterEach(() => project.remove());

test("our own file, written in place with its old time, is given a new one and served after another reload", async () => {
  await startWith(nginxConf("", { certificate: `${LIVE}/fullchain.pem`, key: `${LIVE}/privkey.pem` }));
  await renewInPlace();
  const { reports, events } = await deploy();
  expect(reports).toMatchObject([{ lineage: "a.test", outcome: "deployed" }]);
  const steps = ["target.reloaded", "lineage.repaired", "target.reloaded", "target.served"];
  expect(events.filter((event) => steps.includes(event))).toEqual(steps);
});

test("another file in that state is named, with why and with what repairs it", async () => {
  await startWith(nginxConf());
  await project.overwrite(await renewInPlace());
  const { reports, events } = await deploy();
  expect(reports).toMatchObject([{ lineage: "a.test", outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } }]);
  expect(reports[0]?.failure?.message).toMatch(
    /though \/etc\/nginx\/leaf\.pem holds the new one: .* same modification time and inode/,
  );
  expect(reports[0]?.failure?.remedy).toMatch(/^Run touch on \/etc\/nginx\/leaf\.pem and its key/);
  expect(events.filter((event) => event === "target.reloaded")).toHaveLength(1);
});

async function startWith(conf: string): Promise<void> {
  await project.write({ conf });
  await project.start({ more: ["--volume", `${tree.root}:/etc/letsencrypt:ro`] });
  await poll("the first certificate is served", async () => (await deploy()).reports[0]?.outcome === "served");
}

/** Puts another certificate into the files of the version that is shown, and gives it. */
async function renewInPlace(): Promise<TestCertificate> {
  const issued = issueForTest({ names: ["a.test"] });
  const { certificatePem: cert, chainPem: chain, privateKeyPem: privkey } = issued;
  for (const [kind, text] of Object.entries({ cert, chain, fullchain: cert + chain, privkey })) {
    await overwrite(tree.at("archive/a.test", `${kind}1.pem`), text);
  }
  return { caPem: chain, certificatePem: cert + chain, keyPem: privkey };
}

async function deploy(): Promise<{ readonly reports: readonly DeployReport[]; readonly events: readonly string[] }> {
  const log = collectLog();
  const docker = engineUnderTest();
  const common = { clock: systemClock, random: Math.random };
  const deployment = createDeployment({ ...common, docker, service: "nginx", project: project.name, log });
  const {
    targets,
    missing: [missing],
  } = await deployment.targets.find(NEVER);
  const [target] = targets;
  const [current] = (await tree.store.list()).map(({ current }) => current);
  if (!target || !current) throw new Error(`nothing to deploy: ${missing?.failure.message}`);
  const { leaf, version } = current;
  const { identifiers, fingerprint, validity } = leaf;
  const pair = () => tree.store.pair("a.test", version);
  const versions = [{ lineage: "a.test", identifiers, fingerprint, validity, version, isNew: false, pair }];
  const round = new DeployRound();
  const parts = { ...common, store: tree.store, servedWithinMs: 3000, policy: { settingsDigest: "" } };
  const reports = await deployToTarget({
    ...parts,
    target,
    versions,
    round,
    isEager: true,
    settleMs: 0,
    log,
    signal: NEVER,
  });
  return { reports, events: log.lines.map(({ event }) => event) };
}
