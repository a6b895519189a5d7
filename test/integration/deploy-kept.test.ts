import { afterEach, beforeEach, expect, test } from "vitest";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { overwrite } from "../support/overwrite.ts";
import { poll } from "../support/poll.ts";
import type { TestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

// nginx 1.27.4 and newer takes a certificate over from before a reload when its file has the same modification time and inode.
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

async function deploy() {
  const { reports, lines } = await deployOnce({ project: project.name, tree });
  return { reports, events: lines.map(({ event }) => event) };
}
