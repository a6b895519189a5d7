import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createReloadRequest } from "../../src/store/index.ts";
import { findHost, lookUpHost } from "../../src/system/index.ts";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

const LIVE = "/etc/letsencrypt/live/a.test";
const PAIR = { certificate: `${LIVE}/fullchain.pem`, key: `${LIVE}/privkey.pem` };
const RSA_ONLY = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;";
const PKCS8 = { type: "pkcs8", format: "pem" } as const;
const SPKI = { type: "spki", format: "pem" } as const;

let project: HandMadeProject;
let tree: TestStore;
let nginx: string;
let host: string;
beforeEach(async () => {
  tree = await openTestStore();
  const keys = { modulusLength: 2048, privateKeyEncoding: PKCS8, publicKeyEncoding: SPKI };
  const { privateKey: privateKeyPem } = generateKeyPairSync("rsa", keys);
  await renew({ issued: issueForTest({ names: ["a.test"], privateKeyPem }) });
  project = await createHandMadeProject(await makeTestCertificate(["DNS:a.test"]));
  await project.write({ conf: nginxConf("", PAIR) });
  nginx = await project.start({ more: ["-v", `${tree.root}:/etc/letsencrypt:ro`] });
  host = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", nginx);
  await untilServed();
});
afterEach(() => project.remove());

const renew = (how: Parameters<typeof newVersion>[1] = {}) => tree.store.install(newVersion("a.test", how), new Date());
const reload = () => docker("exec", nginx, "nginx", "-s", "reload");
const requested = () => readFile(tree.at("sidecar/reload"), "utf8").catch(() => "");
const deploy = (servedWithinMs = 60_000) => {
  const way = { kind: "verify", word: `verify:${host}:443`, host, port: 443 } as const;
  const askForReload = createReloadRequest({ root: tree.root });
  const withoutEngine = { ways: [way], lookUp: lookUpHost, findHost, askForReload };
  return deployOnce({ tree, servedWithinMs, withoutEngine });
};
const untilServed = () => poll("it is served", async () => (await deploy(0)).reports[0]?.outcome === "served");

/** Deploys beside somebody who reloads nginx at each request, as the unit does on a host. */
const deployBesideUnit = async () => {
  let known = await requested();
  let isDone = false;
  const deployed = deploy().finally(() => (isDone = true));
  await poll(
    "the deploy is over",
    async () => {
      const now = await requested();
      if (now !== known) await reload();
      known = now;
      return isDone;
    },
    120_000,
  );
  return deployed;
};

test("what is served is asked for by nobody; a renewal is, by the file, and done when the server that is reloaded serves it", async () => {
  const before = await requested();
  expect((await deploy()).reports).toMatchObject([{ target: `${host}:443`, outcome: "served" }]);
  expect(await requested()).toBe(before);
  await renew();
  const { reports, lines } = await deployBesideUnit();
  expect(reports).toMatchObject([{ target: `${host}:443`, outcome: "deployed" }]);
  expect(lines.map(({ event }) => event)).not.toContain("target.reloaded");
});

test("one that nobody reloads is not done, told with what to do on the host, and asked for anew", async () => {
  await renew();
  const failure = {
    code: "TARGET_NOT_SERVED",
    message: expect.stringMatching(/a\.test is on disk but not served: .*:443 presents another certificate/),
    remedy: expect.stringContaining("journalctl -u cert-sidecar-reload.service"),
  };
  expect((await deploy(0)).reports).toMatchObject([{ outcome: "failed", failure }]);
  const first = await requested();
  await deploy(0);
  expect(await requested()).not.toBe(first);
});

test("a version with which every handshake fails is put back, and what was served before is again", async () => {
  await project.write({ conf: nginxConf("", PAIR).replace("http {", `http { ${RSA_ONLY}`) });
  await reload();
  const before = await tree.currentVersion();
  await renew(); // by the kind of key that is the usual one: ECDSA
  const { reports } = await deployBesideUnit();
  expect(reports).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_CERTIFICATE_REJECTED" } }]);
  expect(await tree.currentVersion()).toBe(before);
  // For a moment an old worker may still answer.
  await untilServed();
});
