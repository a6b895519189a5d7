import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { certificatesIn } from "../../src/certificate/index.ts";
import type { Clock } from "../../src/ports/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { createHandMadeProject, type ContainerOptions, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce, type DeployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

// A server that reads its pair when it starts and at HUP, crashes at USR1, and waits for its first pair.
const SERVER = `s=; trap 'exit 0' TERM; trap 'exit 3' USR1
trap '[ -z "$s" ] || { kill $s; wait $s; start; }' HUP
start() { openssl s_server -quiet -accept 8883 -cert /tls/tls.pem -key /tls/tls.pem & s=$!; }
until [ -s /tls/tls.pem ]; do sleep 0.05; done
start
while :; do sleep 600 & wait $!; done`;

const PLACED = { "cert-sidecar.certificates": "a.test", "cert-sidecar.copy": "/tls/tls.pem" };
const WITH_PORT = { ...PLACED, "cert-sidecar.port": "8883" };
const SLEEP: ContainerOptions["argv"] = ["sleep", "600"];

// A container that has been up for a minute at least, whenever it was started.
const LATER: Clock = { ...systemClock, now: () => new Date(Date.now() + 60_000) };

let project: HandMadeProject;
let tree: TestStore;
beforeEach(async () => {
  tree = await openTestStore();
  await renew();
  project = await createHandMadeProject(await makeTestCertificate(["DNS:a.test"]));
});
afterEach(() => project.remove());

async function renew(): Promise<void> {
  await tree.store.install(newVersion("a.test"), new Date());
}

/** Starts a container of the service `mail`. */
function start(deploy: string, { labels = {}, more = [], ...options }: ContainerOptions = {}): Promise<string> {
  return project.start({
    service: "mail",
    argv: ["sh", "-c", SERVER],
    labels: { "cert-sidecar.deploy": deploy, ...labels },
    more: ["--volume", "/tls", "--stop-signal", "SIGTERM", ...more],
    ...options,
  });
}

/** Deploys what is on disk; gives what came of it, or why nothing could. */
async function deploy(more: Partial<DeployOnce> = {}) {
  const { reports, missing } = await deployOnce({ project: project.name, tree, ...more });
  return reports[0]?.failure ?? missing ?? reports[0]?.outcome;
}

const inspect = (id: string, format: string) => docker("inspect", "-f", format, id);

describe("a signal", () => {
  test("makes a server read the pair that was put there, which then is served; after its next crash it is restarted", async () => {
    const id = await start("signal:HUP", { labels: WITH_PORT, more: ["--restart", "always"] });
    expect(await deploy()).toBe("deployed");
    await renew();
    expect(await deploy()).toBe("deployed");
    expect(await deploy()).toBe("served");
    expect(await inspect(id, "{{.RestartCount}}")).toBe("0");
    // Detached: the command may not outlive the container that it ends.
    await docker("exec", "-d", id, "sh", "-c", "kill -USR1 1");
    await poll(
      "Docker has restarted it",
      async () => (await inspect(id, "{{.RestartCount}} {{.State.Running}}")) === "1 true",
    );
    await poll("it serves the same", async () => (await deploy()) === "served");
  });

  test.each([
    ["without a stop signal", IMAGES.node, ["--restart", "always"], /no stop signal/],
    ["with unless-stopped", IMAGES.nginx, ["--restart", "unless-stopped"], /unless-stopped/],
  ])("is not sent to a container %s, of which Docker would make a stop", async (_, image, more, message) => {
    const labels = { "cert-sidecar.deploy": "signal:HUP" };
    await project.start({ service: "mail", image, argv: SLEEP, more, labels });
    expect(await deploy({ isNew: true })).toMatchObject({
      code: "TARGET_SIGNAL_UNSAFE",
      message: expect.stringMatching(message),
    });
  });
});

test("a command makes it read the pair; what it and the engine say is told", async () => {
  const id = await start("exec:sh -c 'kill -HUP 1'", { labels: WITH_PORT });
  expect(await deploy()).toBe("deployed");
  await renew();
  expect(await deploy()).toBe("deployed");
  await docker("rm", "-f", id);
  await renew();
  const missing = await start("exec:no-such-program --now");
  expect(await deploy({ isNew: true })).toMatchObject({
    code: "TARGET_COMMAND_FAILED",
    message: expect.stringMatching(/^"no-such-program --now" in mail-1 could not be started: .*no-such-program/),
  });
  await docker("rm", "-f", missing);
  await start("exec:sh -c 'echo the map is missing >&2; exit 255'");
  expect(await deploy({ isNew: true })).toMatchObject({
    message: expect.stringMatching(/failed \(exit code 255\): the map is missing$/),
  });
});

test("a restart makes it read the pair", async () => {
  const id = await start("restart", { labels: WITH_PORT });
  expect(await deploy({ clock: LATER })).toBe("deployed");
  const startedAt = await inspect(id, "{{.State.StartedAt}}");
  await renew();
  expect(await deploy({ clock: LATER })).toBe("deployed");
  expect(await inspect(id, "{{.State.StartedAt}}")).not.toBe(startedAt);
  expect(await inspect(id, "{{.State.ExitCode}} {{.State.Running}}")).toBe("0 true");
});

test("what ends at its start without its certificate gets it before its next one", async () => {
  const argv = ["sh", "-c", `[ -s /tls/tls.pem ] || exit 1; ${SERVER}`] as const;
  const id = await start("exec:sh -c 'kill -HUP 1'", { labels: WITH_PORT, argv, more: ["--restart", "always"] });
  await poll("it is served", async () => (await deploy()) === "served");
  await renew();
  expect(await deploy()).toBe("deployed");
  await docker("stop", "-t", "5", id);
  await renew();
  expect(await deploy()).toBe("deployed");
  await docker("start", id);
  await poll("it starts with the next one", async () => (await deploy()) === "served");
});

describe("a copy", () => {
  const labels = { ...PLACED, "cert-sidecar.copy": "/tls/cert.pem:/tls/key.pem owner=33:999 mode=0440" };
  const read = (id: string, file: string) => docker("exec", "--user", "0", id, "cat", `/tls/${file}`);

  test("has its owner and mode, replaces what is there as a whole, and is put again into a container that is made anew", async () => {
    const more = ["--user", "33", "--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE"];
    const id = await start("exec:sh -c 'cat /tls/key.pem >> /tmp/told'", { labels, argv: SLEEP, more });
    await docker("exec", "--user", "0", id, "sh", "-c", "echo old > /tls/old; ln -s old /tls/key.pem");
    expect(await deploy()).toBe("deployed");
    const { privateKeyPem, chainPem } = await tree.store.pair("a.test", 1);
    expect([await read(id, "cert.pem"), await read(id, "key.pem")]).toEqual([chainPem.trim(), privateKeyPem.trim()]);
    expect(await docker("exec", id, "cat", "/tmp/told")).toBe(privateKeyPem.trim());
    const stats = await docker("exec", "--user", "0", id, "sh", "-c", "cd /tls; stat -c '%n %u:%g %a %F' *; ls -A");
    expect(stats.split("\n")).toEqual([
      "cert.pem 33:999 440 regular file",
      "key.pem 33:999 440 regular file",
      "old 0:0 644 regular file",
      "cert.pem",
      "key.pem",
      "old",
    ]);
    expect(await deploy()).toBe("served");
    await docker("rm", "-f", "-v", id);
    const anew = await start("exec:true", { labels, argv: SLEEP });
    expect(await deploy()).toBe("deployed");
    expect(await read(anew, "key.pem")).toBe(privateKeyPem.trim());
    expect(await deploy()).toBe("served");
  });

  test("in PKCS #12 is opened there by the label's password, and is known again", async () => {
    const copy = "/tls/{name}.p12 password=changeit owner=33:33";
    const open = `exec:sh -c 'openssl pkcs12 -in /tls/a.test.p12 -passin pass:changeit -noenc > /tmp/told'`;
    const id = await start(open, { labels: { "cert-sidecar.copy": copy }, argv: SLEEP, more: ["--user", "33"] });
    expect(await deploy()).toBe("deployed");
    const { privateKeyPem, chainPem } = await tree.store.pair("a.test", 1);
    const opened = await docker("exec", id, "cat", "/tmp/told");
    for (const pem of [privateKeyPem, ...certificatesIn(chainPem)]) expect(opened).toContain(pem.trim());
    expect(await deploy()).toBe("served");
  });

  test("takes no folder's place in a container that has stopped", async () => {
    const id = await start("exec:true", { labels: { ...labels, "cert-sidecar.copy": "/etc/ssl" }, argv: ["true"] });
    await docker("wait", id);
    expect(await deploy()).toMatchObject({ code: "TARGET_COPY_FAILED" });
    expect(await docker("cp", `${id}:/etc/ssl/openssl.cnf`, "-")).toContain("openssl");
  });

  test.each([
    ["a folder that isn't there", "/nowhere/tls.pem", [], /nowhere/],
    ["a folder in its place", "/etc/ssl", [], /it is a folder there/],
    ["a read-only mount", "/ro/tls.pem", ["--volume", "/usr:/ro:ro"], /read-only/],
    ["a tmpfs", "/mem/tls.pem", ["--tmpfs", "/mem"], /: mv: /],
    ["a read-only root", "/run/tls.pem", ["--read-only"], /read-only/],
  ])("that can't be put there is told with what to mount: %s", async (_, path, more, message) => {
    const id = await start("exec:touch /tls/told", {
      labels: { ...labels, "cert-sidecar.copy": path },
      argv: SLEEP,
      more,
    });
    expect(await deploy()).toMatchObject({
      code: "TARGET_COPY_FAILED",
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(/folder that is there in the service mail .* not a tmpfs, nor read-only/),
    });
    expect(await docker("exec", id, "ls", "-A", "/tls")).toBe("");
    expect(await docker("exec", id, "sh", "-c", "ls -A /etc /etc/ssl")).not.toContain("cert-sidecar");
  });
});
