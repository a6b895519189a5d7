import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/system/index.ts";
import { createHandMadeProject, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
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
});
afterEach(() => project.remove());

const renew = () => tree.store.install(newVersion("a.test"), systemClock.now());
const conf = (http: string) => `error_log stderr; events {} http { access_log off; ${http} }`;
const server = (...listens: readonly string[]) =>
  `server { ${listens.map((listen) => `listen ${listen};`).join(" ")} server_name a.test; ${PAIR} }`;

async function startWith(http: string): Promise<void> {
  await project.write({ conf: conf(http) });
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
  await project.write({ conf: conf(server("443 ssl proxy_protocol", "8443 ssl", "8444 ssl proxy_protocol")) });
  expect(await outcome()).toBe("deployed");
  expect(await outcome()).toBe("served");
});

test("a port whose server reads another file is no matter of ours", async () => {
  await startWith(server("443 ssl"));
  const other = `server { listen 8443 ssl; server_name a.test; ssl_certificate /etc/nginx/leaf.pem;
    ssl_certificate_key /etc/nginx/leaf.key; }`;
  await project.write({ conf: conf(server("443 ssl") + other) });
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
  await project.write({ conf: conf(server("443 ssl")) });
  const id = await project.start({ network: six, more: ["--volume", `${tree.root}:/etc/letsencrypt:ro`] });
  await poll("what is on disk is served", async () => (await outcome()) === "served");
  const address = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}", id);
  expect(address).toContain("fd00:");
  // On disk nginx listens there, and it hasn't been told.
  await project.write({ conf: conf(server("443 ssl", "[::]:443 ssl")) });
  const { reports, lines } = await deployOnce({ project: project.name, tree });
  expect(reports).toMatchObject([{ outcome: "deployed" }]);
  expect(lines.map(({ event }) => event)).toContain("target.reloaded");
  expect(await outcome()).toBe("served");
});
