import { cp } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { docker } from "../support/docker-command.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { overwrite } from "../support/overwrite.ts";
import { poll } from "../support/poll.ts";
import type { TestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

// nginx 1.27.4 and newer takes a certificate over from before a reload when its file has the same modification time and inode.
const LIVE = "/etc/letsencrypt/live/a.test";
const PAIR = { certificate: `${LIVE}/fullchain.pem`, key: `${LIVE}/privkey.pem` };

let project: HandMadeProject;
let tree: TestStore;
beforeEach(async () => {
  tree = await openTestStore();
  await tree.store.install(newVersion("a.test"), new Date());
  project = await createHandMadeProject(await renewInPlace());
});
afterEach(() => project.remove());

test("our own file, written in place with its old time, is given a new one and served after another reload", async () => {
  await startWith(nginxConf("", PAIR));
  await renewInPlace();
  const { reports, events } = await deploy();
  expect(reports).toMatchObject([{ lineage: "a.test", outcome: "deployed" }]);
  const steps: string[] = ["target.reloaded", "lineage.repaired", "target.reloaded", "target.served"];
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

test("made anew from yesterday's volume it is seen to have gone back, and goes on with the new one once it has today's", async () => {
  const yesterday = `${tree.root}-yesterday`;
  await cp(tree.root, yesterday, { recursive: true, verbatimSymlinks: true });
  let nginx = await startWith(nginxConf("", PAIR));
  await tree.store.install(newVersion("a.test"), new Date());
  expect((await deploy()).reports).toMatchObject([{ outcome: "deployed" }]);
  const makeAnew = async (root: string) => {
    await docker("rm", "-f", nginx);
    nginx = await start(root);
  };
  await makeAnew(yesterday);
  const [report] = (await deploy()).reports;
  expect(report).toMatchObject({ outcome: "failed", failure: { code: "TARGET_NOT_SERVED" } });
  expect(report?.failure?.message).toMatch(/nginx-1 presents another certificate .* for a\.test$/);
  await makeAnew(tree.root);
  await poll("the new one is served", async () => (await deploy()).reports[0]?.outcome === "served");
});

const start = (root: string) => project.start({ more: ["--volume", `${root}:/etc/letsencrypt:ro`] });

async function startWith(conf: string): Promise<string> {
  await project.write({ conf });
  const nginx = await start(tree.root);
  await poll("the first certificate is served", async () => (await deploy()).reports[0]?.outcome === "served");
  return nginx;
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

async function deploy() {
  const { reports, lines } = await deployOnce({ project: project.name, tree, servedWithinMs: 2000 });
  return { reports, events: lines.map(({ event }) => event) };
}
