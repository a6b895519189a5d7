import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/system/index.ts";
import { createEngine } from "../../src/target/docker/engine.ts";
import { createDeployment } from "../../src/target/index.ts";
import { STEP_AND_TEST_COMMAND } from "../../src/target/nginx-commands.ts";
import { aVersion } from "../support/a-version.ts";
import { collectLog } from "../support/collected-log.ts";
import { createHandMadeProject, nginxConf, type HandMadeProject } from "../support/compose-nginx.ts";
import { docker } from "../support/docker-command.ts";
import { execRequest, filesRequest } from "../support/exec-request.ts";
import { IMAGES } from "../support/images.ts";
import { poll } from "../support/poll.ts";
import { REFUSED_CALLS } from "../support/refused-calls.ts";
import { startSocketProxy, type SocketProxy } from "../support/socket-proxy.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

const NEVER = new AbortController().signal;
const EXAMPLE = new URL("../../docs/examples/socket-proxy/haproxy.cfg", import.meta.url);
const TIMEOUTS = { callMs: 30_000, execMs: 60_000 };
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

let first: TestCertificate;
let second: TestCertificate;
let project: HandMadeProject;
let nginx: string;
beforeAll(async () => {
  [first, second] = await Promise.all([makeTestCertificate(["DNS:a.test"]), makeTestCertificate(["DNS:a.test"])]);
  project = await createHandMadeProject(first);
  nginx = await project.start();
});
afterAll(() => project.remove());

const deploymentBy = (proxy: SocketProxy) =>
  createDeployment({
    docker: proxy.address,
    service: "nginx",
    project: project.name,
    clock: systemClock,
    log: collectLog(),
    random: Math.random,
  });
const engineBy = (proxy: SocketProxy) =>
  createEngine({ docker: proxy.address, clock: systemClock, timeouts: TIMEOUTS });

describe.each([
  ["haproxy.cfg", IMAGES.haproxy],
  ["haproxy-signal.cfg", IMAGES.haproxy3],
])("the example's %s in %s", (file, image) => {
  let proxy: SocketProxy;
  beforeAll(async () => {
    proxy = await startSocketProxy(project.name, file, image);
  });

  test("lets nothing through that a deploy doesn't need", async () => {
    for (const call of REFUSED_CALLS) expect([call, (await proxy.ask(call)).status]).toEqual([call, 403]);
    const body = JSON.stringify({ Image: IMAGES.nginx, HostConfig: { Binds: ["/:/host"] } });
    const name = `test-refused-${randomBytes(4).toString("hex")}`;
    const made = await proxy.ask(`POST /containers/create?name=${name}`, body, { "Content-Type": "application/json" });
    expect(made).toEqual({ status: 403, body: '{"message":"the rules of the socket proxy forbid it"}' });
    expect(await docker("ps", "-aq", "--filter", `name=${name}`)).toBe("");
  });

  test("tells of this project's containers alone, however it is asked", async () => {
    const engine = engineBy(proxy);
    const own = await engine.list([`com.docker.compose.project=${project.name}`], NEVER);
    expect(own.map(({ id }) => id)).toContain(nginx);
    const other = engine.list(["com.docker.compose.project=other"], NEVER);
    await expect(other).rejects.toMatchObject({ code: "DOCKER_DENIED" });
    const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.compose.project=${project.name}`] }));
    const queries = ["", "?all=true", `?all=true%26filters=${filters}`, `?filters={}&all=true&filters=${filters}`];
    for (const query of [
      ...queries,
      `?all=true&filters=${filters}&filters={}`,
      `?%66ilters={}&all=true&filters=${filters}`,
    ])
      expect([query, (await proxy.ask(`GET /containers/json${query}`)).status]).toEqual([query, 403]);
    for (const call of ["/events", `/containers/${project.name}-nginx-1/json`, `/containers/${nginx.slice(0, 4)}/json`])
      expect([call, (await proxy.ask(`GET ${call}`)).status]).toEqual([call, 403]);
    // Written as the sidecar writes it the same passes.
    expect((await proxy.ask(`GET /containers/json?all=true&filters=${filters}`)).status).toBe(200);
  });

  test("lets the sidecar see what it needs: a container, the labels of its image, and what starts", async () => {
    const engine = engineBy(proxy);
    const container = await engine.inspect(nginx, NEVER);
    expect(container?.id).toBe(nginx);
    expect(await engine.imageLabels(container?.imageId ?? "", NEVER)).toBeTypeOf("object");
    const labels = [`com.docker.compose.project=${project.name}`];
    using stream = await engine.openEvents({ actions: ["start", "unpause"], labels }, NEVER);
    const heard = stream.events[Symbol.asyncIterator]().next();
    await docker("restart", "-t", "1", nginx);
    expect((await heard).value).toMatchObject({ id: nginx });
  });
});

describe.each([IMAGES.haproxy, IMAGES.haproxy3])("haproxy.cfg in %s", (image) => {
  let proxy: SocketProxy;
  beforeAll(async () => {
    proxy = await startSocketProxy(project.name, "haproxy.cfg", image);
  });
  beforeEach(() => project.write({ conf: nginxConf(), certificate: first }));

  async function onlyTarget() {
    const { targets, missing } = await deploymentBy(proxy).targets.find(NEVER);
    if (!targets[0]) throw new Error(`no target: ${missing[0]?.failure.message}`);
    return targets[0];
  }

  test("lets through all that a deploy to nginx runs, and refuses nothing of it", async () => {
    const target = await onlyTarget();
    const serves = async (one: TestCertificate) => (await target.tlsCheck?.(aVersion(one), NEVER))?.kind === "served";
    await poll("the first certificate is served", () => serves(first));
    await project.write({ certificate: second });
    const names = Array.from({ length: 500 }, (_, index) => `${index}.${"name".repeat(10)}.test`);
    await target.check(NEVER, names);
    await target.checkAndApply?.([aVersion(second)], NEVER);
    await poll("the second certificate is served", () => serves(second));
    const third = await makeTestCertificate(["DNS:a.test"]);
    const finding = await target.explain?.(aVersion(third), NEVER);
    expect(finding).toMatchObject({ message: expect.stringContaining("reads /etc/nginx/leaf.pem") });
    expect(await proxy.refused()).toEqual([]);
  });

  test("lets through the same, one by one, with the rules of a version that ran nothing in one", async () => {
    const rules = (await readFile(EXAMPLE, "utf8"))
      .split("\n")
      .filter((line) => !/steps_and_tests|lineages_named/.test(line));
    const older = join(await temporaryFolder(), "haproxy.cfg");
    await writeFile(older, rules.join("\n"));
    const proxyOfBefore = await startSocketProxy(project.name, older, image);
    const { targets } = await deploymentBy(proxyOfBefore).targets.find(NEVER);
    await project.write({ certificate: second });
    await targets[0]?.checkAndApply?.([aVersion(second)], NEVER);
    const serves = async () => (await targets[0]?.tlsCheck?.(aVersion(second), NEVER))?.kind === "served";
    await poll("the second certificate is served", serves);
    expect(await proxyOfBefore.refused()).toEqual([`POST /containers/${nginx}/exec`]);
  });

  test("lets through the question why there is no HTTPS", async () => {
    await project.write({ conf: "events {} http { server { listen 80; } }" });
    await docker("restart", "-t", "1", nginx);
    const off = await poll("it is known to be off", async () => (await deploymentBy(proxy).targets.find(NEVER)).off[0]);
    expect(off.reason).toBe("no listener in its configuration has ssl");
    expect(await proxy.refused()).toEqual([]);
    await project.write({ conf: nginxConf() });
    await docker("restart", "-t", "1", nginx);
  });

  test("refuses each other command, user and privilege", async () => {
    const allowed = execRequest(["nginx", "-t"]);
    const exec = (body: string, headers = {}) =>
      proxy.ask(`POST /containers/${nginx}/exec`, body, { "Content-Type": "application/json", ...headers });
    const all = execRequest([...STEP_AND_TEST_COMMAND, "reload", "a.test"]);
    for (const body of [allowed, filesRequest("/etc/a.pem"), all]) expect((await exec(body)).status).toBe(201);
    const bodies = [
      allowed.replace("-t", "-T"),
      all.replace('"reload"', '"restart"'),
      all.replace('"a.test"', '"a.test","-i\\""'),
      // To sed it would be an option, by which files are written.
      filesRequest("--expression=w /etc/nginx/nginx.conf"),
      filesRequest("/etc/a.pem").replace('"/etc/a.pem"', '"/etc/a.pem","-i"'),
      allowed.replace('"-t"', '"-t","-c","/tmp/x"'),
      allowed.replace("{", '{"User":"0",'),
      allowed.replace("}", ',"Privileged":true}'),
      allowed.replace("}", ',"Cmd":["sh"]}'),
      `${allowed}${allowed}`,
      ` ${allowed}`,
      "",
    ];
    for (const body of bodies) expect([body, (await exec(body)).status]).toEqual([body, 403]);
    const engine = engineBy(proxy);
    const shell = engine.exec({ id: nginx, name: "nginx" }, ["sh", "-c", "id"], NEVER);
    await expect(shell).rejects.toMatchObject({ code: "DOCKER_DENIED" });
    const asRoot = engine.exec({ id: nginx, name: "nginx", user: "0" }, ["nginx", "-t"], NEVER);
    await expect(asRoot).rejects.toMatchObject({ code: "DOCKER_DENIED" });
    await expect(engine.kill({ id: nginx, name: "nginx" }, "HUP", NEVER)).rejects.toMatchObject({
      code: "DOCKER_DENIED",
    });
  });
});

describe("haproxy-signal.cfg", () => {
  const COUNTING = "trap 'echo hup' HUP; trap 'echo term; exit' TERM; echo up; while :; do sleep 600 & wait $!; done";

  test("lets through HUP, and no other signal, however it is written", async () => {
    const proxy = await startSocketProxy(project.name, "haproxy-signal.cfg");
    const id = await project.start({ service: "mail", argv: ["sh", "-c", COUNTING] });
    await poll("it has its traps", async () => (await docker("logs", id)) === "up");
    const engine = engineBy(proxy);
    // The engine believes a form in the body before the query.
    const form = await proxy.ask(`POST /containers/${id}/kill?signal=HUP`, "signal=TERM", FORM);
    expect(form.status).toBe(204);
    await poll("the signal has come", async () => (await docker("logs", id)) === "up\nhup");
    await engine.kill({ id, name: "mail" }, "HUP", NEVER);
    await poll("the signal has come again", async () => (await docker("logs", id)) === "up\nhup\nhup");
    for (const query of ["", "?signal=TERM", "?signal=TERM&signal=HUP", "?signal=HUP&signal=TERM", "?signal=hup"])
      expect([query, (await proxy.ask(`POST /containers/${id}/kill${query}`)).status]).toEqual([query, 403]);
    const exec = engine.exec({ id, name: "mail" }, ["nginx", "-t"], NEVER);
    await expect(exec).rejects.toMatchObject({ code: "DOCKER_DENIED" });
    expect(await docker("inspect", "-f", "{{.State.Running}}", id)).toBe("true");
  });
});
