import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containerIdFromMounts } from "../../src/target/docker/own-container.ts";
import {
  createHandMadeProject,
  withHandMadeProject,
  type ContainerOptions,
  type HandMadeProject,
} from "../support/compose-nginx.ts";
import { deploymentOf } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { poll } from "../support/poll.ts";
import { collectLog } from "../support/collected-log.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

const NEVER = new AbortController().signal;
const SLEEP: ContainerOptions["argv"] = ["sleep", "600"];

let certificate: TestCertificate;
beforeAll(async () => {
  certificate = await makeTestCertificate(["DNS:a.test"]);
});

const withProject = <T>(use: (project: HandMadeProject) => Promise<T>) => withHandMadeProject(certificate, use);

describe("finding nginx in the compose project", () => {
  let project: HandMadeProject;
  let foreign: HandMadeProject;
  beforeAll(async () => {
    [project, foreign] = await Promise.all([createHandMadeProject(certificate), createHandMadeProject(certificate)]);
    await project.start({ number: 2 });
    await project.start({ number: 10, argv: SLEEP });
    await project.start({ number: 1 });
    await project.start({ number: 3, isOneOff: true, argv: SLEEP });
    await project.start({ number: 4, isOnlyCreated: true });
    await project.start({ number: 5, env: { NGINX_HTTPS_ENABLED: "False" } });
    await project.start({ service: "nginx-exporter", argv: SLEEP });
    await foreign.start();
  });
  afterAll(() => Promise.all([project.remove(), foreign.remove()]));

  test("takes every running replica that has HTTPS, whatever its words, in the order of their numbers, and nothing else", async () => {
    const { targets: source } = deploymentOf({ project: project.name });
    const {
      targets,
      off,
      missing: [missing],
    } = await source.find(NEVER);
    expect(targets.map(({ name }) => name)).toEqual(["nginx-1", "nginx-2", "nginx-5", "nginx-10"]);
    expect(off).toEqual([]);
    expect(missing).toBeUndefined();
  });

  test("gives the way to its port 80", async () => {
    const url = await deploymentOf({ project: project.name }).front.httpUrl(NEVER);
    expect(url).toMatch(/^http:\/\/[\d.]+:80$/);
    expect(await (await fetch(url ?? "")).text()).toBe("front door");
  });
});

describe("when nginx can't be had", () => {
  test("names the project's services when nginx is none of them", () =>
    withProject(async (project) => {
      await project.start({ service: "web", argv: SLEEP });
      const {
        targets,
        missing: [missing],
      } = await deploymentOf({ project: project.name }).targets.find(NEVER);
      expect(targets).toEqual([]);
      expect(missing?.failure).toMatchObject({
        code: "TARGET_NOT_FOUND",
        remedy: expect.stringMatching(
          /docker compose up -d nginx, or give .*, web, the label cert-sidecar\.deploy=nginx/,
        ),
      });
      expect(missing?.failure.message).toContain(`in the compose project "${project.name}"`);
      expect(missing?.failure.message).toContain("its services are web");
    }));

  test("says that it was created, has stopped or restarts, and how it ended", () =>
    withProject(async (project) => {
      const { targets: source, front } = deploymentOf({ project: project.name });
      await project.start({ isOnlyCreated: true });
      const stopped = await project.start({ number: 2, argv: ["sh", "-c", "exit 3"] });
      await docker("wait", stopped);
      const {
        missing: [missing],
      } = await source.find(NEVER);
      expect(missing?.failure).toMatchObject({
        code: "TARGET_NOT_RUNNING",
        remedy: expect.stringContaining("docker compose up -d nginx"),
      });
      expect(missing?.failure.message).toContain(
        "nginx-1 is created, but has never started, nginx-2 is stopped (exit code 3)",
      );
      expect(await front.httpUrl(NEVER)).toBeUndefined();
    }));

  test("points to its log when it is in a restart loop", () =>
    withProject(async (project) => {
      await project.start({ argv: ["sh", "-c", "exit 1"], more: ["--restart", "always"] });
      // Between two restarts it runs for a moment.
      const failure = await poll("it restarts", async () => {
        const {
          missing: [missing],
        } = await deploymentOf({ project: project.name }).targets.find(NEVER);
        return missing?.failure.message.includes("restarting") ? missing.failure : undefined;
      });
      expect(failure).toMatchObject({
        code: "TARGET_NOT_RUNNING",
        remedy: expect.stringContaining("docker compose logs nginx"),
      });
      expect(failure.message).toContain("nginx-1 is restarting (exit code 1)");
    }));

  test("or serves no HTTPS, as its configuration says", () =>
    withProject(async (project) => {
      await project.write({ conf: "events {}\nhttp { server { listen 80;\n# listen 443 ssl;\nreturn 200; } }\n" });
      await project.start();
      const found = await deploymentOf({ project: project.name }).targets.find(NEVER);
      const off = [{ name: "nginx-1", reason: "no listener in its configuration has ssl" }];
      expect(found).toEqual({ targets: [], missing: [], off });
    }));
});

describe("our own container", () => {
  test("is found by its mounts, and gives the project and the networks to look from", () =>
    withProject(async (project) => {
      const own = await project.start({
        service: "certbot",
        image: IMAGES.node,
        argv: SLEEP,
        more: ["--hostname", "nginx"],
      });
      await project.start();
      const mountinfo = await docker("exec", own, "cat", "/proc/self/mountinfo");
      expect(containerIdFromMounts(mountinfo)).toBe(own);
      const ownHints = { mountinfo: async () => mountinfo, hostname: () => "nginx" };
      const {
        targets,
        missing: [missing],
      } = await deploymentOf({ ownHints }).targets.find(NEVER);
      expect(missing).toBeUndefined();
      expect(targets.map(({ name }) => name)).toEqual(["nginx-1"]);
    }));

  test("without a network in common with nginx: both sides' networks are named", () =>
    withProject(async (project) => {
      const back = `${project.name}_back`;
      await docker("network", "create", "--label", `com.docker.compose.project=${project.name}`, back);
      const own = await project.start({ service: "certbot", argv: SLEEP, network: back });
      await project.start();
      const ownHints = { mountinfo: async () => "", hostname: () => own.slice(0, 12) };
      const {
        targets,
        missing: [missing],
      } = await deploymentOf({ ownHints }).targets.find(NEVER);
      expect(targets).toEqual([]);
      expect(missing?.failure).toMatchObject({ code: "TARGET_UNREACHABLE" });
      expect(missing?.failure.message).toContain(`is in ${back}, nginx-1 in ${project.network}`);
    }));

  test("in nginx's own network namespace looks at the loopback address", () =>
    withProject(async (project) => {
      const nginx = await project.start();
      const own = await project.start({ service: "certbot", argv: SLEEP, network: `container:${nginx}` });
      const ownHints = { mountinfo: async () => "", hostname: () => own.slice(0, 12) };
      expect(await deploymentOf({ ownHints }).front.httpUrl(NEVER)).toBe("http://127.0.0.1:80");
    }));
});

describe("the label cert-sidecar.port", () => {
  test("on the container is where TLS is looked for, and does not count when the image brings it", () =>
    withProject(async (project) => {
      const base = await project.start({ labels: { "cert-sidecar.port": "9443" } });
      const image = `${project.name}-image`;
      await docker("commit", "-c", 'LABEL cert-sidecar.port="7443"', base, image);
      try {
        await project.start({ number: 2, image });
        const { targets } = await deploymentOf({ project: project.name }).targets.find(NEVER);
        const wanted = {
          lineage: "a.test",
          identifiers: [{ type: "dns", value: "a.test" }],
          fingerprint: "none",
        } as const;
        const findings = await poll("nginx-2 listens", async () => {
          const all = await Promise.all(targets.map(async (target) => target.tlsCheck?.(wanted, NEVER)));
          return JSON.stringify(all[1]).includes("nothing listens") ? undefined : all;
        });
        expect(findings).toMatchObject([
          { message: expect.stringMatching(/nothing listens on [\d.]+:9443 in nginx-1/) },
          { message: expect.stringMatching(/^nginx-2 presents another certificate/) },
        ]);
      } finally {
        await project.remove();
        await docker("rmi", "-f", image);
      }
    }));
});

describe("the label cert-sidecar.deploy", () => {
  test("makes a container of any service a target, which is heard of when it starts; not when its image brings the label", () =>
    withProject(async (project) => {
      const base = await project.start({ service: "base", argv: SLEEP });
      const image = `${project.name}-image`;
      await docker("commit", "-c", 'LABEL cert-sidecar.deploy="nginx"', base, image);
      try {
        const log = collectLog();
        const { targets: source } = deploymentOf({ project: project.name, log });
        const started: string[] = [];
        const stop = new AbortController();
        const ended = source.watch((name) => started.push(name), stop.signal);
        await poll("the stream is open", () => log.lines.length > 0);
        await project.start({ service: "foreign", image, argv: SLEEP });
        expect((await source.find(NEVER)).missing).toMatchObject([{ failure: { code: "TARGET_NOT_FOUND" } }]);
        const labels = { "cert-sidecar.deploy": "nginx", "cert-sidecar.certificates": "a.test,b.test" };
        await project.start({ service: "web", labels });
        await project.start({ service: "odd", labels: { "cert-sidecar.deploy": "caddy" }, argv: SLEEP });
        const { targets, missing } = await source.find(NEVER);
        expect(targets.map(({ name }) => name)).toEqual(["web-1"]);
        expect(["a.test", "c.test"].map((lineage) => targets[0]?.wants(lineage))).toEqual([true, false]);
        const message = expect.stringContaining('odd-1 has the label cert-sidecar.deploy="caddy", which is not nginx');
        expect(missing).toMatchObject([{ name: "odd-1", failure: { code: "TARGET_LABEL_INVALID", message } }]);
        await poll("its start was heard", () => started.includes("web-1"));
        const certificate = {
          lineage: "a.test",
          identifiers: [{ type: "dns", value: "a.test" }],
          fingerprint: "none",
        } as const;
        const finding = await poll("it listens", async () => {
          const seen = await targets[0]?.tlsCheck?.(certificate, NEVER);
          return JSON.stringify(seen).includes("nothing listens") ? undefined : seen;
        });
        expect(finding).toMatchObject({ message: expect.stringMatching(/^web-1 presents another certificate/) });
        stop.abort(new Error("stop"));
        await ended;
      } finally {
        await project.remove();
        await docker("rmi", "-f", image);
      }
    }));
});
