import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { issueForTest } from "../support/issued-certificate.ts";
import { putCertbotLineage } from "../support/lineage-tree.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SRC = new URL("../../src/", import.meta.url).pathname;
// A CA that nobody reaches, and no Docker: the one on this machine is none of its business.
const NOBODY = {
  CERTBOT_SERVER: "https://127.0.0.1:1/directory",
  CERTBOT_EMAIL: "a@b.test",
  CERTBOT_LOG_FORMAT: "json",
};

/** Starts the real program as its own process, in and on a folder; its end comes as exit code and output. */
function start(program: "main.ts" | "cli.ts", folder: string, ...words: readonly string[]) {
  return startWith({}, program, folder, ...words);
}

type Settings = Readonly<Record<string, string>>;

/** The same with settings of its own. */
function startWith(settings: Settings, program: string, folder: string, ...words: readonly string[]) {
  const paths = ["--config-dir", join(folder, "conf"), "--work-dir", join(folder, "run")];
  const child = spawn(process.execPath, [join(SRC, program), ...paths, ...words], {
    cwd: folder,
    env: { ...NOBODY, CERTBOT_DOMAIN: "folder.test", DOCKER_HOST: `unix://${folder}/docker.sock`, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const hasTheLock = new Promise<void>((resolve) => {
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      if (said.includes('"lock.acquired"')) resolve();
    });
  });
  const outputs = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { child, hasTheLock, ended: outputs.then(([out, err, [code]]) => ({ code: code as unknown, out, err })) };
}

test("daemons on folders of their own answer there, side by side, and end with 0", async () => {
  const daemons = await Promise.all(
    [1, 2].map(async () => {
      const folder = await temporaryFolder();
      return { folder, ...start("main.ts", folder, "--logs-dir", join(folder, "logs")) };
    }),
  );
  for (const { folder, hasTheLock } of daemons) {
    await hasTheLock;
    const { code, out, err } = await start("cli.ts", folder, "status").ended;
    // Without a certificate and without Docker not all is well.
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toMatch(/^daemon: (?!not running)/m);
    expect(out).toContain("folder.test");
    expect(await readdir(join(folder, "conf"))).toContain("sidecar");
  }
  for (const { folder, child, ended } of daemons) {
    child.kill("SIGTERM");
    const { code, out, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(`"folder":"${folder}/conf/sidecar"`);
    expect((await start("cli.ts", folder, "healthcheck").ended).code).toBe(1);
  }
});

test("a daemon whose settings have a mistake goes on with what is there; without it the commands do", async () => {
  const folder = await temporaryFolder();
  await putCertbotLineage(join(folder, "conf"), "a.test", issueForTest({ names: ["a.test"] }));
  const wrong = { CERTBOT_OPTIONS: "--frobnicate", CERTBOT_LOG_LEVEL: "loud" };
  const { child, hasTheLock, ended } = startWith(wrong, "main.ts", folder);
  const answers = { code: 2, out: expect.stringContaining("on disk: version 1"), err: expect.stringContaining("loud") };
  await hasTheLock;
  expect(await startWith(wrong, "cli.ts", folder, "status").ended).toMatchObject(answers);
  const health = await startWith(wrong, "cli.ts", folder, "healthcheck").ended;
  expect(health).toMatchObject({ code: 1, err: "" });
  child.kill("SIGTERM");
  const { code, out } = await ended;
  expect({ code, refusals: out.split('"settings.refused"').length - 1 }).toEqual({ code: 0, refusals: 1 });
  expect(await startWith(wrong, "cli.ts", folder, "status").ended).toMatchObject(answers);
});

test("a daemon that is told a path and something else says how it is used", async () => {
  const { ended } = start("main.ts", await temporaryFolder(), "--wrok-dir", "r");
  expect(await ended).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/^Usage: /) });
});

test("a daemon of an nginx that takes over by itself names a socket that was left in its reach", async () => {
  const folder = await temporaryFolder();
  const engine = createServer();
  onTestFinished(() => void engine.close());
  await once(engine.listen(join(folder, "docker.sock")), "listening");
  const { child, hasTheLock, ended } = startWith({ CERTBOT_DEPLOY: "nginx:watch" }, "main.ts", folder);
  await hasTheLock;
  child.kill("SIGTERM");
  const { out } = await ended;
  expect(out).toContain(`"event":"option.ignored","option":"${folder}/docker.sock"`);
});
