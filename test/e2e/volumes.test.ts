import { lchown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { untilIdle } from "./support/idle.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { servedLeaf } from "./support/served.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const OWNER = 1000;

// The demo CA's root, from outside the tree that these tests hurt.
const CA_BUNDLE = { CERTBOT_CA_BUNDLE: "/demo-ca.pem" };
const CA_MOUNT = "./volumes/pebble/ca.pem:/demo-ca.pem:ro";

let stack: Stack | undefined;
afterEach(async () => {
  await stack?.remove();
  stack = undefined;
});
tellOnFailure(() => stack);

test("in a tree of another owner, with live mounted a second time, it issues and renews, and all files are that owner's", async () => {
  const live = "./volumes/certbot/conf/live:/etc/letsencrypt/live";
  const override = `services: { nginx: { volumes: ["${live}:ro"] }, certbot: { volumes: ["${live}"] } }`;
  stack = await createStack({ override });
  await mkdir(stack.conf("live"));
  for (const path of [stack.conf(), ...(await everythingIn(stack.conf()))]) await lchown(path, OWNER, OWNER);

  await stack.up();
  const first = await servedByCa(stack);
  expect(first.fingerprint256).toBe((await soundPair(stack)).fingerprint256);
  expect(await stack.certbot("update-cert", "--force-renewal")).toMatchObject({ code: 0, stderr: "" });
  const second = await settledLeaf(stack);
  expect(second.fingerprint256).not.toBe(first.fingerprint256);
  expect(second.fingerprint256).toBe((await soundPair(stack)).fingerprint256);

  await untilIdle(stack); // a file that is being written has another name, for a moment
  const paths = await everythingIn(stack.conf());
  expect(paths).toContain(stack.conf("archive/demo.test/privkey2.pem"));
  expect(paths).toContain(stack.conf("renewal/demo.test.conf"));
  const foreign = [];
  // The daemon's socket is no file of the tree's.
  for (const path of paths.filter((one) => !one.endsWith(".sock"))) {
    const { uid, gid } = await lstat(path);
    if (uid !== OWNER || gid !== OWNER) foreign.push(`${path} ${uid}:${gid}`);
  }
  expect(foreign).toEqual([]);
});

test("a tree that can't be written is told, nothing is ordered, and nginx serves; once it can, a certificate is issued", async () => {
  const conf = (mode: string) =>
    `services: { certbot: { volumes: ["./volumes/certbot/conf:/etc/letsencrypt:${mode}"],
      healthcheck: { interval: 1s, start_period: 1s, retries: 1 } } }`;
  stack = await createStack({ override: conf("ro") });
  await stack.up();
  const readOnly = stack;
  await until("Docker finds it unhealthy", async () =>
    (await readOnly.inspect("certbot", "{{.State.Health.Status}}")) === "unhealthy" ? true : undefined,
  );
  const message = /Can't take the lock in \/etc\/letsencrypt\/sidecar: EROFS: read-only file system/;
  const remedy = /Mount a folder or a named volume there/;
  const { code, stderr } = await stack.certbot("update-cert");
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(remedy);
  expect(await stack.events()).toContainEqual(
    expect.objectContaining({
      level: "error",
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    }),
  );
  expect(await stack.inspect("certbot", "{{.State.Status}} {{.RestartCount}}")).toBe("running 0");
  expect(await stack.orders()).toBe(0);
  expect((await fetch(`http://127.0.0.1:${stack.httpPort}/`)).status).toBe(200);

  await stack.layOver(conf("rw"));
  await stack.up();
  await servedByCa(stack);
});

test("with volumes/ deleted nginx goes on, update-cert says what to do, and after that a certificate is issued anew", async () => {
  stack = await createStack({
    env: CA_BUNDLE,
    override: `services: { certbot: { volumes: ["${CA_MOUNT}"] } }`,
  });
  await stack.up();
  const first = await servedByCa(stack);
  await rm(join(stack.folder, "volumes/certbot"), { recursive: true });
  expect((await servedLeaf(stack)).fingerprint256).toBe(first.fingerprint256);
  const { code, stderr } = await stack.certbot("update-cert");
  expect(code).toBe(1);
  expect(stderr).toContain("ENOENT");
  expect(stderr).toContain("what to do: The folder mounted above /etc/letsencrypt/sidecar was deleted");

  await stack.composeOk("up", "-d", "--no-build", "--force-recreate", "nginx", "certbot");
  const { httpPort } = stack;
  await until("nginx answers on port 80", async () => (await fetch(`http://127.0.0.1:${httpPort}/`)).ok || undefined);
  const second = await servedByCa(stack);
  expect(second.fingerprint256).not.toBe(first.fingerprint256);
  expect(second.fingerprint256).toBe((await soundPair(stack)).fingerprint256);
});

/** All paths below a folder; a link is one of them and not followed. */
async function everythingIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.map((entry) => join(folder, entry));
}
