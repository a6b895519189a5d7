import { execFile } from "node:child_process";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { speakTo, startOwnEngine, type OwnEngine } from "../support/own-engine.ts";
import { startOwnPodman, type OwnPodman } from "../support/own-podman.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isDiskSettled, servedByCa } from "./support/issued.ts";
import { diskLeaf, isDiskServed } from "./support/served.ts";
import { MANNERS, signalledPair, type SignalledPair } from "./support/signalled.ts";
import { createStack, SIDECAR_IMAGE, until, type Outcome, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const IN_STACK = [IMAGES.nginx, IMAGES.pebble, SIDECAR_IMAGE];

// Valid authorizations are found again, and the schedule is far away: nothing but what is tested here sets something right.
const SETTING = { env: { CERTBOT_SCHEDULE: "0 0 1 1 *" }, authorizationReusePercent: 100 };

function programsFolder(): string {
  const { CERT_SIDECAR_ENGINES } = process.env;
  if (CERT_SIDECAR_ENGINES === undefined)
    throw new Error("run scripts/test --long engines: no CERT_SIDECAR_ENGINES says where they are");
  return CERT_SIDECAR_ENGINES;
}

// `--full` has no network of its own for them.
const isWanted = process.env["CERT_SIDECAR_FULL"] && process.env["CERT_SIDECAR_OWN_NETWORK"];

test.runIf(isWanted)("an engine of our own that can't start asks nothing of the machine's", async () => {
  const folder = await temporaryFolder();
  let asked = 0;
  const machines = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void machines.listen(join(folder, "machines.sock"), resolve));
  await writeFile(join(folder, "dockerd"), "#!/bin/sh\necho no luck\nexit 1\n", { mode: 0o755 });
  onTestFinished(() => void machines.close());
  using _ = speakTo(join(folder, "machines.sock"));
  await expect(startOwnEngine({ programs: folder, images: [] })).rejects.toThrow(/no luck/);
  expect(asked).toBe(0);
});

// Some minutes: scripts/test --long engines, which unpacks them.
describe.runIf(isWanted).each(["20.10", "26", "28"])("Docker %s", (version) => {
  let engine: OwnEngine;
  let stack: Stack;

  beforeAll(async () => {
    engine = await startOwnEngine({ programs: join(programsFolder(), version), images: IN_STACK });
    stack = await createStack(SETTING);
    await stack.up();
  });
  afterAll(async () => {
    await stack?.remove();
    await engine?.dispose();
  });
  tellOnFailure(() => stack);

  test("is the one that is spoken to", async () => {
    expect(await docker("version", "--format", "{{.Server.Version}}")).toMatch(new RegExp(`^${version}\\.`));
  });

  theMainPath(() => stack);

  test("restarted with its containers: they come up again, the same certificate is served, and nothing is ordered", async () => {
    const [before, leaf] = [await newest(stack), await diskLeaf(stack)];
    await engine.restart();
    await until("it is served again", async () => (await isDiskServed(stack)) || undefined);
    await allIsWell(stack);
    expect((await diskLeaf(stack)).fingerprint256).toBe(leaf.fingerprint256);
    expect(await newest(stack)).toBe(before);
  });

  test("dead beneath the containers: status tells it, and what was renewed meanwhile is served when it is back, with no further order", async () => {
    await engine.restart({ keepsContainers: true });
    // The demo CA isn't started by the engine, and has forgotten everything: this proves the name again, and the next renewal doesn't have to.
    await stack.composeOk("start", "pebble");
    await until("a renewal succeeds", async () => (await renew(stack)).code === 0 || undefined);
    const [inside, before] = [await insideOf(stack), await newest(stack)];
    // Names are resolved by the engine.
    const address = await stack.inspect("pebble", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    await appendFile(await stack.inspect("certbot", "{{.HostsPath}}"), `${address} pebble\n`);
    await engine.kill();
    const away = "the Docker engine at /var/run/docker.sock can't be reached";
    expect(await inside(...RENEW)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^demo\.test: renewed for demo\.test, /m),
      stderr: expect.stringContaining(away),
    });
    expect(await inside("status")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(new RegExp(`^(?!.*serves this version).*${away}`, "s")),
    });

    await engine.start();
    await until("the new version is served", async () => (await isDiskServed(stack)) || undefined);
    await allIsWell(stack);
    expect(await newest(stack)).toBe(before + 1);
  });

  test("restarted beneath the containers: all is well again by itself", async () => {
    const startedAt = await stack.inspect("nginx", "{{.State.StartedAt}}");
    await engine.restart();
    await allIsWell(stack);
    expect(await stack.inspect("nginx", "{{.State.StartedAt}}")).toBe(startedAt);
    await renewed(stack);
  });

  test("a signal: what is refused would have stayed down, what is sent changes nothing about the next crash and the next start of the engine", async () => {
    await engine.restart({ keepsContainers: false });
    const pairs: SignalledPair[] = [];
    try {
      for (const manner of MANNERS) pairs.push(await signalledPair(manner));
      const stages = [await Promise.all(pairs.map((pair) => pair.afterSignal()))];
      stages.push(await Promise.all(pairs.map((pair) => pair.afterCrash())));
      await engine.restart();
      stages.push(await Promise.all(pairs.map((pair) => pair.afterRestart())));
      const found = pairs.map(({ manner, isAllowed }, index) => {
        const after = stages.map((stage) => stage[index] ?? []);
        return { ...manner, isAllowed, after, isHarmless: after.every(([sent, untold]) => sent === untold) };
      });
      console.info(found.map((one) => JSON.stringify(one)).join("\n"));
      expect(found).toEqual(found.map((one) => ({ ...one, isHarmless: one.isAllowed })));
    } finally {
      await Promise.all(pairs.map((pair) => pair.remove()));
    }
  });
});

// Podman has no links, by which the demo CA finds nginx.
const WITHOUT_LINKS = `services:
  nginx: { networks: { default: { aliases: [demo.test] } } }
  pebble: { links: !reset [] }
`;

describe.runIf(isWanted)("podman", () => {
  let podman: OwnPodman;
  let stack: Stack;

  beforeAll(async () => {
    podman = await startOwnPodman(join(programsFolder(), "podman"), IN_STACK);
    stack = await createStack({ ...SETTING, override: WITHOUT_LINKS });
    await stack.up();
  });
  afterAll(async () => {
    await stack?.remove();
    await podman?.dispose();
  });
  tellOnFailure(() => stack);

  test("is the one that is spoken to", async () => {
    expect(await docker("version", "--format", "{{range .Server.Components}}{{.Name}} {{end}}")).toContain("Podman");
  });

  theMainPath(() => stack);
});

function theMainPath(of: () => Stack): void {
  test("the first certificate is served, and all is well", async () => {
    await servedByCa(of());
    await allIsWell(of());
    expect((await of().certbot("status")).stdout).toContain("nginx-1: serves this version");
  });

  test("a renewal reloads nginx, which serves it and isn't restarted", async () => {
    const startedAt = await of().inspect("nginx", "{{.State.StartedAt}}");
    await renewed(of());
    expect(await of().inspect("nginx", "{{.State.StartedAt}} {{.RestartCount}}")).toBe(`${startedAt} 0`);
  });

  test("its events are heard: an nginx that was paused during a renewal is reloaded when it goes on", async () => {
    await of().composeOk("pause", "nginx");
    const renewal = await renew(of());
    expect(renewal.stderr).toContain("nginx-1 is paused [TARGET_NOT_RUNNING]");
    const orders = await of().orders();
    // Compose finds no paused container at podman.
    await docker("unpause", await of().container("nginx"));
    await until("the new version is served", async () => (await isDiskServed(of())) || undefined, 60_000);
    expect(await of().orders()).toBe(orders);
  });

  test("an nginx that is made anew serves what is on disk, and the next renewal reaches it", async () => {
    const before = await of().container("nginx");
    await of().composeOk("up", "-d", "--no-build", "--no-deps", "--force-recreate", "nginx");
    expect(await of().container("nginx")).not.toBe(before);
    await until("it serves what is on disk", async () => (await isDiskServed(of())) || undefined, 60_000);
    await renewed(of());
  });
}

const RENEW = ["update-cert", "--force-renewal"] as const;

const renew = (stack: Stack) => stack.certbot(...RENEW);

async function renewed(stack: Stack): Promise<void> {
  const { code, stdout, stderr } = await renew(stack);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: expect.stringContaining("demo.test: nginx-1 serves it"),
    stderr: "",
  });
  expect(await isDiskSettled(stack)).toBe(true);
}

function allIsWell(stack: Stack): Promise<true> {
  return until("status says that all is well", async () => {
    const { code, stdout, stderr } = await stack.certbot("status");
    if (code !== 0) throw new Error(stdout + stderr);
    return true as const;
  });
}

/** The number of the newest version: of what is printed, a dying engine loses some. */
async function newest(stack: Stack): Promise<number> {
  const names = await readdir(stack.conf("archive/demo.test"));
  return Math.max(...names.map((name) => Number(/^fullchain(\d+)\.pem$/.exec(name)?.[1] ?? 0)));
}

const run = promisify(execFile);

/** Runs commands in the sidecar with no engine. */
async function insideOf(stack: Stack): Promise<(...command: readonly string[]) => Promise<Outcome>> {
  const pid = await stack.inspect("certbot", "{{.State.Pid}}");
  const environment = (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0").filter(Boolean);
  const enter = ["--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid", "env", "-i", ...environment];
  return (...command) =>
    run("nsenter", [...enter, ...command]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (failed: Outcome) => failed,
    );
}
