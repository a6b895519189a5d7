import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/system/index.ts";
import { createHandMadeProject, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

// One certificate on several addresses and ports of a real nginx.
const PAIR = `
  ssl_certificate /etc/letsencrypt/live/a.test/fullchain.pem;
  ssl_certificate_key /etc/letsencrypt/live/a.test/privkey.pem;`;

let project: HandMadeProject;
let tree: TestStore;
beforeEach(async () => {
  tree = await openTestStore();
  await renew();
  project = await createHandMadeProject(await makeTestCertificate());
  await project.write({ conf: CONF });
});
afterEach(() => project.remove());

const renew = () => tree.store.install(newVersion("a.test"), systemClock.now());
const CONF = "error_log stderr; events {} http { access_log off; include /etc/letsencrypt/sites/*.conf; }";
/** Writes what nginx includes. */
const sites = async (http: string) => {
  await mkdir(tree.at("sites"), { recursive: true });
  await writeFile(tree.at("sites", "a.conf"), http);
};
const server = (...listens: readonly string[]) =>
  `server { ${listens.map((listen) => `listen ${listen};`).join(" ")} server_name a.test; ${PAIR} }`;

async function startWith(http: string): Promise<void> {
  await sites(http);
  await project.start({ more: ["--volume", `${tree.root}:/etc/letsencrypt:ro`] });
  await poll("what is on disk is served", async () => (await outcome()) === "served");
}

async function outcome(): Promise<string | undefined> {
  const { reports, missing } = await deployOnce({ project: project.name, tree });
  return reports[0]?.failure?.message ?? missing?.message ?? reports[0]?.outcome;
}

test("each port is asked, and those behind a load balancer with a PROXY header; one that nginx hasn't opened yet is brought up", async () => {
  await startWith(server("443 ssl proxy_protocol", "127.0.0.1:444 ssl"));
  await renew();
  const { reports, lines } = await deployOnce({ project: project.name, tree });
  expect(reports).toMatchObject([{ outcome: "deployed" }]);
  expect(lines).toContainEqual(
    expect.objectContaining({ event: "target.unreached", fields: { target: "nginx-1", address: "127.0.0.1:444" } }),
  );
  await sites(server("443 ssl proxy_protocol", "8443 ssl", "8444 ssl proxy_protocol"));
  expect(await outcome()).toBe("deployed");
  expect(await outcome()).toBe("served");
});

test("a port whose server reads another file is no matter of ours", async () => {
  await startWith(server("443 ssl"));
  const other = `server { listen 8443 ssl; server_name a.test; ssl_certificate /etc/nginx/leaf.pem;
    ssl_certificate_key /etc/nginx/leaf.key; }`;
  await sites(server("443 ssl") + other);
  expect(await outcome()).toBe("served");
});

test("IPv6 is asked too, where the container has an address of it", async () => {
  const six = `${project.name}_six`;
  const subnet = `fd00:${project.name.slice(-4)}::/64`;
  await docker(
    "network",
    "create",
    "--label",
    `com.docker.compose.project=${project.name}`,
    "--ipv6",
    "--subnet",
    subnet,
    six,
  );
  await sites(server("443 ssl"));
  const id = await project.start({ network: six, more: ["--volume", `${tree.root}:/etc/letsencrypt:ro`] });
  await poll("what is on disk is served", async () => (await outcome()) === "served");
  const address = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}", id);
  expect(address).toContain("fd00:");
  // On disk nginx listens there, and it hasn't been told.
  await sites(server("443 ssl", "[::]:443 ssl"));
  const { reports, lines } = await deployOnce({ project: project.name, tree });
  expect(reports).toMatchObject([{ outcome: "deployed" }]);
  expect(lines.map(({ event }) => event)).toContain("target.reloaded");
  expect(await outcome()).toBe("served");
});

const rsaKey = () =>
  generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: PKCS8, publicKeyEncoding: SPKI });
const PKCS8 = { type: "pkcs8", format: "pem" } as const;
const SPKI = { type: "spki", format: "pem" } as const;
const RSA_ONLY = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;";

test("a version that its ciphers have nothing for is put back, served as before, and the cause is named", async () => {
  const issued = issueForTest({ names: ["a.test"], privateKeyPem: rsaKey().privateKey });
  await tree.store.install(newVersion("a.test", { issued }), systemClock.now());
  await startWith(RSA_ONLY + server("443 ssl", "8443 ssl"));
  const before = await tree.currentVersion();
  await renew(); // by the kind of key that is the usual one: ECDSA
  const { reports, lines } = await deployOnce({ project: project.name, tree });
  const failure = {
    code: "TARGET_CERTIFICATE_REJECTED",
    message: expect.stringMatching(
      /^version 3 of a\.test was put back since no handshake with it succeeds: .*:443\) for a\.test failed: .*: the key is of the kind ECDSA, and its ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA have none for that$/,
    ),
    remedy: expect.stringContaining("Put ciphers for ECDSA keys into ssl_ciphers of the service nginx"),
  };
  expect(reports).toMatchObject([{ lineage: "a.test", outcome: "failed", failure }]);
  expect(lines.map(({ event }) => event)).toContain("lineage.restored");
  expect(await tree.currentVersion()).toBe(before);
  // A worker of before may have had the last word.
  await poll("it is served as before", async () => (await outcome()) === "served");
});

test("a server that fails every handshake whatever it reads keeps the newest version, and the cause is named", async () => {
  await startWith(server("443 ssl"));
  await renew();
  await sites(RSA_ONLY + server("443 ssl"));
  const { reports } = await deployOnce({ project: project.name, tree, servedWithinMs: 2000 });
  const message = expect.stringContaining("the key is of the kind ECDSA");
  expect(reports).toMatchObject([{ outcome: "failed", failure: { code: "TARGET_NOT_SERVED", message } }]);
  expect(await tree.currentVersion()).toBe(2);
  await sites(server("443 ssl"));
  expect(await outcome()).toBe("deployed");
});
