import { beforeAll, describe, expect, test } from "vitest";
import { collectLog } from "../support/collected-log.ts";
import { withHandMadeProject, type ContainerOptions, type HandMadeProject } from "../support/compose-nginx.ts";
import { deploymentOf } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

const NEVER = new AbortController().signal;
const SLEEP: ContainerOptions["argv"] = ["sleep", "600"];

let certificate: TestCertificate;
beforeAll(async () => {
  certificate = await makeTestCertificate(["DNS:a.test"]);
});

const withProject = <T>(use: (project: HandMadeProject) => Promise<T>) => withHandMadeProject(certificate, use);

// A project's network can't be removed while another one's container is in it.
async function connect(id: string, network: string): Promise<AsyncDisposable> {
  await docker("network", "connect", network, id);
  return { [Symbol.asyncDispose]: async () => void (await docker("network", "disconnect", "-f", network, id)) };
}

describe("services that are named", () => {
  test("of our own project and of another one are targets, which are heard of when they start; nothing else of that other one is", () =>
    withProject((own) =>
      withProject(async (other) => {
        const ours = await own.start({ service: "certbot", argv: SLEEP });
        await own.start({ service: "nginx", argv: SLEEP });
        await own.start({ service: "web" });
        await own.start({ service: "labelled", labels: { "cert-sidecar.deploy": "nginx" } });
        await other.start({ service: "nginx", argv: SLEEP });
        await other.start({ service: "labelled", labels: { "cert-sidecar.deploy": "nginx" }, argv: SLEEP });
        const front = await other.start({ service: "front", labels: { "cert-sidecar.certificates": "a.test" } });
        await using _ = await connect(ours, other.network);
        const services = [{ service: "web" }, { project: other.name, service: "front" }];
        const ownHints = { mountinfo: async () => "", hostname: () => ours.slice(0, 12) };
        const log = collectLog();
        const { targets: source } = deploymentOf({ ownHints, services, log });
        const { targets, missing } = await source.find(NEVER);
        expect(missing).toEqual([]);
        const names = ["labelled-1", "web-1", `${other.name}/front-1`];
        expect(targets.map(({ name }) => name)).toEqual(names);
        expect(targets.map((target) => target.wants("b.test"))).toEqual([true, true, false]);
        const finding = await poll("it listens", async () => {
          const certificate = { lineage: "a.test", identifiers: [], fingerprint: "none" };
          const identifiers = [{ type: "dns", value: "a.test" }] as const;
          const seen = await targets[2]?.tlsCheck?.({ ...certificate, identifiers }, NEVER);
          return JSON.stringify(seen).includes("nothing listens") ? undefined : seen;
        });
        expect(finding).toMatchObject({ message: expect.stringContaining(`${other.name}/front-1 presents another`) });

        const started: string[] = [];
        const stop = new AbortController();
        const ended = source.watch((name) => started.push(name), stop.signal);
        await poll("the line is told", () => log.lines.length > 0);
        const again = async () => {
          await docker("restart", "-t", "0", front);
          return started.includes(`${other.name}/front-1`);
        };
        await poll("its start was heard", again);
        expect(started.every((name) => name === `${other.name}/front-1`)).toBe(true);
        expect(log.lines.map(({ event }) => event)).toEqual(["docker.connected"]);
        stop.abort(new Error("stop"));
        await ended;
      }),
    ));

  test("and aren't there, or share no network with us, are missing, each with what to do", () =>
    withProject((own) =>
      withProject(async (other) => {
        const ours = await own.start({ service: "certbot", argv: SLEEP });
        await own.start({ service: "web", labels: { "cert-sidecar.deploy": "nginx" } });
        await other.start({ service: "front" });
        const named = [
          { service: "wbe" },
          { project: other.name, service: "front" },
          { project: "none", service: "x" },
        ];
        const ownHints = { mountinfo: async () => "", hostname: () => ours.slice(0, 12) };
        const { targets, missing } = await deploymentOf({ ownHints, services: named }).targets.find(NEVER);
        expect(targets.map(({ name }) => name)).toEqual(["web-1"]);
        expect(missing).toMatchObject([
          {
            name: "wbe",
            failure: {
              code: "TARGET_NOT_FOUND",
              message: expect.stringContaining("its services are certbot, web"),
              remedy: expect.stringMatching(/^Run docker compose up -d wbe, or correct CERTBOT_DEPLOY/),
            },
          },
          {
            name: `${other.name}/front-1`,
            failure: { code: "TARGET_UNREACHABLE", remedy: expect.stringContaining(`network ${other.network}`) },
          },
          {
            name: "none/x",
            failure: {
              code: "TARGET_NOT_FOUND",
              message: expect.stringContaining('in the compose project "none": there is no container of it'),
              remedy: expect.stringContaining("Run docker compose -p none up -d x, or correct CERTBOT_DEPLOY"),
            },
          },
        ]);
      }),
    ));
});
