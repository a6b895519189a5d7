import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDeployment, type Deployment } from "../../src/target/index.ts";
import { ConfigurationRejectedError, type Target } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { aVersion } from "../support/a-version.ts";
import { engineUnderTest } from "../support/engine-address.ts";
import {
  createHandMadeProject,
  nginxConf,
  type ContainerOptions,
  type HandMadeProject,
} from "../support/compose-nginx.ts";
import { docker } from "../support/docker-command.ts";
import { poll } from "../support/poll.ts";
import { collectLog } from "../support/collected-log.ts";
import { targetContract } from "../support/target-contract.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

const NEVER = new AbortController().signal;
const SLEEP: ContainerOptions["argv"] = ["sleep", "600"];

let first: TestCertificate;
let second: TestCertificate;
let project: HandMadeProject;
beforeAll(async () => {
  [first, second] = await Promise.all([makeTestCertificate(["DNS:a.test"]), makeTestCertificate(["DNS:a.test"])]);
  project = await createHandMadeProject(first);
});
afterAll(() => project.remove());

// One network for all: a container that a test has started is gone before the next one.
beforeEach(async () => {
  const label = `label=com.docker.compose.project=${project.name}`;
  const ids = (await docker("ps", "-aq", "--filter", label)).split("\n").filter(Boolean);
  if (ids.length > 0) await docker("rm", "-f", ...ids);
  await project.write({ conf: nginxConf(), certificate: first });
});

function deployment(timeouts: { readonly execMs?: number } = {}): Deployment {
  const log = collectLog();
  const docker = engineUnderTest();
  return createDeployment({
    docker,
    service: "nginx",
    project: project.name,
    clock: systemClock,
    log,
    random: Math.random,
    timeouts,
  });
}

async function onlyTarget(timeouts: { readonly execMs?: number } = {}): Promise<Target> {
  const {
    targets,
    missing: [missing],
  } = await deployment(timeouts).targets.find(NEVER);
  const [target] = targets;
  if (target === undefined) throw new Error(`no target: ${missing?.failure.message}`);
  return target;
}

async function served(target: Target, certificate: TestCertificate): Promise<boolean> {
  return (await target.tlsCheck?.(aVersion(certificate), NEVER))?.kind === "served";
}

targetContract("a real nginx", async () => {
  await project.start();
  const target = await onlyTarget();
  await poll("it listens", () => served(target, first));
  const show = async () => {
    const certificate = await makeTestCertificate(["DNS:a.test"]);
    await project.write({ certificate });
    return aVersion(certificate);
  };
  return { target, show, spoil: () => project.write({ conf: nginxConf("no_such_directive on;") }) };
});

describe("deploying to a real nginx", () => {
  test("a new certificate is served after test and reload, by the same process", async () => {
    const id = await project.start();
    const target = await onlyTarget();
    await poll("the first certificate is served", () => served(target, first));
    const startedAt = await docker("inspect", "-f", "{{.State.StartedAt}}", id);
    await project.write({ certificate: second });
    expect(await target.tlsCheck?.(aVersion(second), NEVER)).toMatchObject({
      kind: "not-served",
      message: expect.stringContaining("nginx-1 presents another certificate (a.test, issued by Test root"),
    });
    await target.check(NEVER);
    await target.apply([aVersion(second)], NEVER);
    await poll("the second certificate is served", () => served(target, second));
    expect(await docker("inspect", "-f", "{{.State.StartedAt}}", id)).toBe(startedAt);
  });

  test("a configuration that nginx refuses is told in nginx's own words, and the old one goes on", async () => {
    await project.start();
    const target = await onlyTarget();
    await poll("the first certificate is served", () => served(target, first));
    await project.write({ conf: nginxConf("no_such_directive on;") });
    const failure = target.check(NEVER);
    await expect(failure).rejects.toBeInstanceOf(ConfigurationRejectedError);
    await expect(failure).rejects.toThrow(/nginx-1 refuses.*unknown directive "no_such_directive"/s);
    expect(await served(target, first)).toBe(true);
  });

  test("a server that reads another file than ours is named, with the command that repairs it", async () => {
    await project.start();
    const target = await onlyTarget();
    await poll("the first certificate is served", () => served(target, first));
    await target.apply([aVersion(second)], NEVER);
    const finding = await target.explain?.(aVersion(second), NEVER);
    if (finding?.kind !== "not-served") throw new Error("the other certificate is said to be served");
    expect(finding.message).toMatch(/reads \/etc\/nginx\/leaf\.pem, not \/etc\/letsencrypt\/live\/a\.test\/$/);
    expect(finding.remedy).toContain("docker compose up -d --force-recreate nginx");
  });

  test("our own certificate step runs before nginx's test, and its failure is told as its own", async () => {
    const step = "/opt/cert-sidecar/nginx/certificate-step.sh";
    const id = await project.start();
    const target = await onlyTarget();
    await docker(
      "exec",
      id,
      "sh",
      "-c",
      `mkdir -p ${step.replace(/\/[^/]*$/, "")} && echo 'echo ran >> /tmp/step' > ${step}`,
    );
    await target.check(NEVER);
    expect(await docker("exec", id, "cat", "/tmp/step")).toBe("ran");
    await docker("exec", id, "sh", "-c", `echo 'echo the list is broken >&2; exit 127' > ${step}`);
    const failure = target.check(NEVER);
    await expect(failure).rejects.toMatchObject({ code: "TARGET_CERTIFICATE_STEP_FAILED" });
    await expect(failure).rejects.toThrow(/certificate step in nginx-1 failed.*the list is broken/s);
  });

  test("a reload without a running nginx is a failure, not a silent success", async () => {
    await project.start({ argv: SLEEP });
    const target = await onlyTarget();
    await expect(target.apply([aVersion(second)], NEVER)).rejects.toMatchObject({ code: "TARGET_RELOAD_FAILED" });
  });

  test("a container without the nginx command is no refused configuration", async () => {
    await project.start({ argv: SLEEP, env: { PATH: "/bin" } });
    const failure = (await onlyTarget()).check(NEVER);
    await expect(failure).rejects.toMatchObject({ code: "TARGET_COMMAND_MISSING" });
    await expect(failure).rejects.toThrow(/could not start "nginx -t" in nginx-1: .*nginx/s);
  });
});

describe("a command that does not end", () => {
  const hang = { argv: SLEEP, env: { PATH: "/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin" } };
  const plant = async (id: string) => {
    const script =
      "mkdir -p /tmp/bin && printf '#!/bin/sh\\nexec sleep 600\\n' > /tmp/bin/nginx && chmod +x /tmp/bin/nginx";
    await docker("exec", id, "sh", "-c", script);
  };

  test("is given up after its time", async () => {
    await plant(await project.start(hang));
    const target = await onlyTarget({ execMs: 500 });
    await expect(target.check(NEVER)).rejects.toMatchObject({ code: "TARGET_COMMAND_TIMED_OUT" });
  });

  test("is given up when aborted, though it goes on there, with the signal's reason", async () => {
    const id = await project.start(hang);
    const target = await onlyTarget();
    await plant(id);
    const controller = new AbortController();
    const reason = new Error("stopping");
    const ended = target.check(controller.signal).catch((thrown: unknown) => thrown);
    await poll("the command runs", () => isHanging(id));
    controller.abort(reason);
    expect(await ended).toBe(reason);
    expect(await isHanging(id)).toBe(true);
  });

  test("in a container that is stopped meanwhile is no refused configuration", async () => {
    const id = await project.start(hang);
    const target = await onlyTarget();
    await plant(id);
    const ended = target.check(NEVER).catch((thrown: unknown) => thrown);
    await poll("the command runs", () => isHanging(id));
    await docker("kill", id);
    expect(await ended).toMatchObject({ code: "TARGET_COMMAND_KILLED" });
    await poll("it has stopped", async () => (await docker("inspect", "-f", "{{.State.Status}}", id)) === "exited");
    await expect(target.check(NEVER)).rejects.toMatchObject({ code: "TARGET_NOT_RUNNING" });
    await docker("rm", "-f", id);
    await expect(target.apply([aVersion(second)], NEVER)).rejects.toMatchObject({ code: "TARGET_NOT_RUNNING" });
  });

  async function isHanging(id: string): Promise<boolean> {
    return (await docker("top", id)).match(/sleep 600/g)?.length === 2;
  }
});

describe("watching for starts", () => {
  test("hears nginx start, restart, and nothing of others", async () => {
    const controller = new AbortController();
    const log = collectLog();
    const { lines } = log;
    const started: string[] = [];
    const watching = createDeployment({
      docker: engineUnderTest(),
      service: "nginx",
      project: project.name,
      clock: systemClock,
      log,
      random: Math.random,
    });
    const ended = watching.targets.watch((name) => started.push(name), controller.signal);
    await poll("the stream is open", () => lines.some(({ event }) => event === "docker.connected"));
    await project.start({ service: "web", argv: SLEEP });
    await project.start({ number: 7, isOneOff: true, argv: SLEEP });
    const id = await project.start({ number: 2 });
    await poll("its start was heard", () => started.length === 1);
    await docker("restart", "-t", "1", id);
    await poll("its restart was heard", () => started.length === 2);
    await docker("pause", id);
    await docker("unpause", id);
    await poll("its unpausing was heard", () => started.length === 3);
    expect(new Set(started)).toEqual(new Set(["nginx-2"]));
    controller.abort(new Error("stop"));
    await ended;
    expect(lines.map(({ event }) => event)).toEqual(["docker.connected"]);
  });
});
