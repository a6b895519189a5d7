import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Target, Version } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { createDeployment } from "../../src/target/index.ts";
import { collectLog } from "../support/collected-log.ts";
import { createHandMadeProject, type HandMadeProject } from "../support/compose-nginx.ts";
import { docker } from "../support/docker-command.ts";
import { engineUnderTest } from "../support/engine-address.ts";
import { startHaproxy, waitForHaproxy, type OwnConfiguration } from "../support/haproxy-container.ts";
import { haproxyContract, versionOf, wholeOf } from "../support/haproxy-contract.ts";
import { IMAGES } from "../support/images.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";

const NEVER = new AbortController().signal;
const UPDATES = process.env["CERT_SIDECAR_FULL"] ? 100 : 10;
const CLIENTS = 8;

let project: HandMadeProject;
beforeAll(async () => {
  project = await createHandMadeProject(await makeTestCertificate());
});
afterAll(() => project.remove());

async function start(image: string, own?: OwnConfiguration) {
  const ids = await docker("ps", "-aq", "--filter", `label=com.docker.compose.project=${project.name}`);
  for (const id of ids.split("\n").filter(Boolean)) await docker("rm", "-f", id);
  const { id, socket } = await startHaproxy(project, image, own);
  return { id, socket, target: await findTarget() };
}

async function findTarget(): Promise<Target> {
  const parts = { docker: engineUnderTest(), service: "nginx", project: project.name, clock: systemClock };
  const deployment = createDeployment({ ...parts, log: collectLog(), random: Math.random });
  const {
    targets: [target],
    missing: [missing],
  } = await deployment.targets.find(NEVER);
  if (target === undefined) throw new Error(`no target: ${missing?.failure.message}`);
  return target;
}

async function isServed(target: Target, version: Version): Promise<boolean> {
  return (await target.tlsCheck?.(version, NEVER))?.kind === "served";
}

async function give(target: Target, version: Version): Promise<void> {
  expect([...(await target.apply([version], NEVER, wholeOf([version])))]).toEqual([]);
  await poll("it is served", () => isServed(target, version));
}

for (const [name, image] of Object.entries({ "HAProxy 2.6": IMAGES.haproxy, "HAProxy 3": IMAGES.haproxy3 })) {
  haproxyContract(name, () => start(image));

  describe(`${name}, deployed to,`, () => {
    test("serves a first certificate, and after a restart the newest, with no restart in between", async () => {
      const { id, socket, target } = await start(image);
      const [first, second] = [
        versionOf("a.test", ["a.test", "*.b.test"]),
        versionOf("a.test", ["a.test", "*.b.test"]),
      ];
      expect(await target.tlsCheck?.(first, NEVER)).toMatchObject({
        kind: "not-served",
        remedy: expect.stringContaining(`crt-list ${socket.replace("haproxy.sock", "crt-list.txt")}`),
      });
      const startedAt = await docker("inspect", "-f", "{{.State.StartedAt}}", id);
      await give(target, first);
      await give(target, second);
      expect(await docker("inspect", "-f", "{{.State.StartedAt}}", id)).toBe(startedAt);
      await docker("restart", "-t", "5", id);
      await waitForHaproxy(id, socket);
      const again = await findTarget();
      await poll("the newest is served", () => isServed(again, second));
    });

    test("serves an address by its default certificate after a restart, a renewed one at once, and others beside it", async () => {
      const own = await makeTestCertificate(["DNS:own.test"]);
      const pem = own.certificatePem + own.keyPem;
      const { id, socket, target } = await start(image, { pem, lines: (folder) => `${folder}/own.pem\n`, strict: "" });
      const address = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id);
      const other = versionOf("a.test", ["a.test"]);
      const [first, second] = [versionOf("by-address", [address]), versionOf("by-address", [address])];
      expect([...(await target.apply([other, first], NEVER, wholeOf([other, first])))]).toEqual([]);
      expect(await target.explain?.(first, NEVER)).toMatchObject({ remedy: expect.stringContaining("and restart it") });
      await docker("restart", "-t", "5", id);
      await waitForHaproxy(id, socket);
      const again = await findTarget();
      for (const version of [other, first]) await poll("it is served", () => isServed(again, version));
      await give(again, second);
    });

    test("ends each handshake with a key that its ciphers don't fit, and is given the version before again", async () => {
      const { target } = await start(image, { strict: "strict-sni no-tlsv13 ciphers ECDHE-RSA-AES128-GCM-SHA256" });
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const before = versionOf("a.test", ["a.test"], privateKey.export({ type: "pkcs8", format: "pem" }).toString());
      await give(target, before);
      const version = versionOf("a.test", ["a.test"]);
      expect([...(await target.apply([version], NEVER))]).toEqual([]);
      await poll("it is broken", async () => (await target.tlsCheck?.(version, NEVER))?.kind === "not-served");
      expect(await target.tlsCheck?.(version, NEVER)).toMatchObject({ isBroken: true });
      expect(await target.explain?.(version, NEVER)).toMatchObject({
        message: expect.stringMatching(
          /handshake.* failed: .*: most often none of its ciphers fits a key of the kind ECDSA$/,
        ),
        remedy: expect.stringContaining("CERTBOT_KEY_TYPE to rsa"),
      });
      expect([...(await target.apply([before], NEVER))]).toEqual([]);
      await poll("it is served again", () => isServed(target, before));
      await target.settle?.([before], NEVER, wholeOf([before]));
    });

    test("drops and refuses nothing while certificates change, on connections held open and on new ones", async () => {
      const { id, target } = await start(image);
      const names = ["a.test"];
      await give(target, versionOf("a.test", names));
      const host = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id);
      const load = startLoad(host);
      for (let update = 0; update < UPDATES; update += 1) {
        const before = load.answered();
        await give(target, versionOf("a.test", names));
        await poll("more requests have been answered", () => load.answered() >= before + 2 * CLIENTS);
      }
      const { failures, opened } = await load.end();
      expect(failures).toEqual([]);
      expect(opened).toBe(CLIENTS);
    });
  });
}

test("a certificate that HAProxy 3 gets by an ACME of its own is left alone, and named where it stands in the way", async () => {
  const own = await makeTestCertificate(["DNS:a.test"]);
  const line = "own.pem [acme le domains a.test]\n";
  const { socket, target } = await start(IMAGES.haproxy3, {
    pem: own.certificatePem + own.keyPem,
    lines: (folder) => `${folder}/${line}`,
    global:
      "  expose-experimental-directives\nacme le\n  directory https://127.0.0.1:1/dir\n  challenge HTTP-01\n  account-key /tmp/account.key\n",
  });
  const version = versionOf("a.test", ["a.test"]);
  expect([...(await target.apply([version], NEVER, wholeOf([version])))]).toEqual([]);
  expect(await target.explain?.(version, NEVER)).toMatchObject({
    message: expect.stringMatching(/: HAProxy renews .*own\.pem with the name a\.test by an ACME of its own/),
  });
  expect(await readFile(join(dirname(socket), "crt-list.txt"), "utf8")).toContain(`/${line}`);
});

/** Clients that ask again and again: each on a connection that is held open, and beside it on a new one each time. */
function startLoad(host: string) {
  const failures: string[] = [];
  const held = new Set<Socket>();
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let answered = 0;
  const over = new AbortController();
  const ask = async (own: Agent | false) => {
    const asked = request({ host, servername: "a.test", agent: own, rejectUnauthorized: false });
    if (own) asked.on("socket", (socket) => held.add(socket));
    asked.end();
    const [response] = (await once(asked, "response")) as [NodeJS.ReadableStream & { readonly statusCode: number }];
    for await (const _ of response);
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
    answered += 1;
  };
  const client = async (own: Agent | false) => {
    while (!over.signal.aborted) await ask(own).catch((thrown: unknown) => failures.push(String(thrown)));
  };
  const clients = Array.from({ length: CLIENTS }, () => [client(agent), client(false)]).flat();
  return {
    answered: () => answered,
    end: async () => {
      over.abort();
      await Promise.all(clients);
      agent.destroy();
      return { failures, opened: held.size };
    },
  };
}
