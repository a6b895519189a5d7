import { randomBytes } from "node:crypto";
import { afterAll, afterEach, expect, test } from "vitest";
import { createEngine } from "../../src/target/docker/engine.ts";
import { createStorageProbe } from "../../src/target/docker/storage-probe.ts";
import { systemClock } from "../../src/system/index.ts";
import { docker } from "../support/docker-command.ts";
import { engineUnderTest } from "../support/engine-address.ts";
import { IMAGES } from "../support/images.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const NEVER = new AbortController().signal;
const FOLDER = "/etc/letsencrypt";
const NAME = `cert-sidecar-storage-test-${randomBytes(5).toString("hex")}`;

afterEach(async () => {
  await docker("rm", "-fv", NAME);
});
afterAll(async () => {
  await docker("volume", "rm", "-f", NAME, `${NAME}-in-memory`);
});

/** What the probe finds in a real container that is started with these options. */
async function lookIn(...options: readonly string[]) {
  await docker("run", "-d", "--name", NAME, ...options, "--entrypoint", "sleep", IMAGES.node, "600");
  const mountinfo = await docker("exec", NAME, "cat", "/proc/self/mountinfo");
  const ownHints = { mountinfo: async () => mountinfo, hostname: () => NAME };
  const timeouts = { callMs: 10_000, execMs: 10_000 };
  const engine = createEngine({ docker: engineUnderTest(), clock: systemClock, timeouts });
  return createStorageProbe({ engine, ownHints, folder: FOLDER }).inspect(NEVER);
}

test("a folder without a mount goes with the container", async () => {
  expect(await lookIn()).toMatchObject({
    kind: "ephemeral",
    message: expect.stringContaining("is on the container's own file system"),
  });
});

test("a read-only container changes nothing about it", async () => {
  expect(await lookIn("--read-only", "--tmpfs", "/run")).toMatchObject({ kind: "ephemeral" });
});

test.each([
  ["--tmpfs", FOLDER],
  ["--mount", `type=tmpfs,dst=${FOLDER}`],
])("a tmpfs by %s is in memory", async (...options) => {
  expect(await lookIn(...options)).toMatchObject({ kind: "ephemeral", message: expect.stringContaining("in memory") });
});

test("a bind mount of the host's memory is in memory", async () => {
  // The engine makes the missing folder on the host.
  const path = `/dev/shm/${NAME}`;
  const finding = await lookIn("-v", `${path}:${FOLDER}`);
  await docker("run", "--rm", "-v", "/dev/shm:/host", "--entrypoint", "rmdir", IMAGES.node, `/host/${NAME}`);
  expect(finding).toMatchObject({ kind: "ephemeral", message: expect.stringContaining("in memory") });
});

test("a named volume that is in memory is in memory", async () => {
  const options = ["-o", "type=tmpfs", "-o", "device=tmpfs"];
  await docker("volume", "create", "-d", "local", ...options, `${NAME}-in-memory`);
  const finding = await lookIn("-v", `${NAME}-in-memory:${FOLDER}`);
  expect(finding).toMatchObject({ kind: "ephemeral", message: expect.stringContaining("in memory") });
});

test("an anonymous volume is none to rely on", async () => {
  expect(await lookIn("-v", FOLDER)).toMatchObject({
    kind: "ephemeral",
    message: expect.stringMatching(/is on the anonymous volume [0-9a-f]{12}:/),
  });
});

test("an anonymous volume that is mounted on purpose, by its name, lasts", async () => {
  const name = randomBytes(32).toString("hex");
  const finding = await lookIn("-v", `${name}:${FOLDER}`);
  await docker("rm", "-fv", NAME);
  await docker("volume", "rm", "-f", name);
  expect(finding).toEqual({ kind: "lasting" });
});

test("a named volume lasts", async () => {
  expect(await lookIn("-v", `${NAME}:${FOLDER}`)).toEqual({ kind: "lasting" });
});

test("a folder of the host lasts, whatever its name; memory on a part of it is found", async () => {
  const path = `${await temporaryFolder("/var/tmp")}/my conf`;
  expect(await lookIn("-v", `${path}:${FOLDER}`)).toEqual({ kind: "lasting" });
  await docker("rm", "-f", NAME);
  expect(await lookIn("-v", `${path}:${FOLDER}`, "--tmpfs", `${FOLDER}/live`)).toMatchObject({
    kind: "ephemeral",
    message: expect.stringContaining("/etc/letsencrypt/live is kept in memory"),
  });
  await docker("rm", "-f", NAME);
  expect(await lookIn("-v", `${path}:${FOLDER}`, "--tmpfs", `${FOLDER}/eab`)).toEqual({ kind: "lasting" });
});
