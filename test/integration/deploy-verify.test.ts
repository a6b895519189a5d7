import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createReloadRequest } from "../../src/store/index.ts";
import { findHost, lookUpHost } from "../../src/system/index.ts";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

let project: HandMadeProject;
let tree: TestStore;
let nginx: string;
let host: string;
beforeEach(async () => {
  tree = await openTestStore();
  await renew();
  project = await createHandMadeProject(await makeTestCertificate(["DNS:a.test"]));
  const live = "/etc/letsencrypt/live/a.test";
  await project.write({ conf: nginxConf("", { certificate: `${live}/fullchain.pem`, key: `${live}/privkey.pem` }) });
  nginx = await project.start({ more: ["-v", `${tree.root}:/etc/letsencrypt:ro`] });
  host = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", nginx);
  await poll("nginx serves the first", async () => (await deploy(0)).reports[0]?.outcome === "served");
});
afterEach(() => project.remove());

const renew = () => tree.store.install(newVersion("a.test"), new Date());
const requested = () => readFile(tree.at("sidecar/reload"), "utf8").catch(() => "");
const deploy = (servedWithinMs = 60_000) => {
  const way = { kind: "verify", word: `verify:${host}:443`, host, port: 443 } as const;
  const askForReload = createReloadRequest({ root: tree.root });
  return deployOnce({
    tree,
    servedWithinMs,
    withoutEngine: { ways: [way], lookUp: lookUpHost, findHost, askForReload },
  });
};

test("a renewal is asked for by the file, and done when the server that somebody reloads serves it", async () => {
  const before = await requested();
  expect((await deploy()).reports).toMatchObject([{ target: `${host}:443`, outcome: "served" }]);
  expect(await requested()).toBe(before);
  await renew();
  const reloaded = poll("it is asked for", async () => (await requested()) !== before).then(() =>
    docker("exec", nginx, "nginx", "-s", "reload"),
  );
  const { reports, lines } = await deploy();
  await reloaded;
  expect(reports).toMatchObject([{ target: `${host}:443`, outcome: "deployed" }]);
  expect(lines.map(({ event }) => event)).not.toContain("target.reloaded");
});

test("one that nobody reloads is not done, told with what to do on the host, and asked for anew", async () => {
  await renew();
  const { reports } = await deploy(0);
  expect(reports).toMatchObject([
    {
      failure: {
        code: "TARGET_NOT_SERVED",
        message: expect.stringMatching(/a\.test is on disk but not served: .*:443 presents another certificate/),
        remedy: expect.stringContaining("journalctl -u cert-sidecar-reload.service"),
      },
    },
  ]);
  const first = await requested();
  expect(first).not.toBe("");
  await deploy(0);
  expect(await requested()).not.toBe(first);
});
