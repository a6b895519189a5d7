import { mkdir, readdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { probe } from "../support/http-probe.ts";
import { IMAGES } from "../support/images.ts";
import { askedWhenToRenew } from "./support/idle.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { reloads } from "./support/reloads.ts";
import { diskLeaf } from "./support/served.ts";
import { soundPair } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";

// One stack, lived with in this order: the first start, a look around, a forced renewal.
let stack: Stack;

beforeAll(async () => {
  // Docker asks by the image's own command, only sooner.
  const override = "services: { certbot: { healthcheck: { interval: 3s } } }";
  stack = await createStack({ env: { CERTBOT_DOMAIN: "demo.test www.demo.test" }, override });
  await stack.composeOk("up", "-d", "--no-build");
});

afterAll(() => stack?.remove());

test("one `up -d` with two lines in .env ends in HTTPS with a certificate of the CA, for each name", async () => {
  const leaf = await servedByCa(stack);
  expect(leaf.subjectAltName).toBe("DNS:demo.test, DNS:www.demo.test");
  expect((await servedByCa(stack, "www.demo.test")).fingerprint256).toBe(leaf.fingerprint256);
  expect((await soundPair(stack)).fingerprint256).toBe(leaf.fingerprint256);
  const answer = await probe(`https://127.0.0.1:${stack.httpsPort}/`, { host: "demo.test" });
  expect(answer.status).toBe(200);
  expect(await stack.orders()).toBe(1);
});

test("the files are where certbot has them, with its modes, and certbot itself lists them", async () => {
  const modeOf = async (...parts: string[]) => ((await stat(stack.conf(...parts))).mode & 0o777).toString(8);
  expect(await modeOf("archive/demo.test/privkey1.pem")).toBe("600");
  expect(await modeOf("archive/demo.test/fullchain1.pem")).toBe("644");
  expect(await modeOf("live")).toBe("700");
  expect(await modeOf("archive")).toBe("700");
  for (const kind of ["cert", "chain", "fullchain", "privkey"]) {
    const shown = await realpath(stack.conf("live/demo.test", `${kind}.pem`));
    expect(shown).toBe(await realpath(stack.conf("archive/demo.test", `${kind}1.pem`)));
  }
  const [account] = await readdir(stack.conf("accounts/pebble:14000/dir"));
  expect(await modeOf("accounts/pebble:14000/dir", account ?? "", "private_key.json")).toBe("400");
  const settings = await stack.readConf("renewal/demo.test.conf");
  expect(settings).toContain(`account = ${account}\n`);
  expect(settings).toContain("privkey = /etc/letsencrypt/live/demo.test/privkey.pem\n");
  expect(settings).toContain("authenticator = webroot\n");
  expect(settings).toContain("server = https://pebble:14000/dir\n");
  const mount = `${stack.conf()}:/etc/letsencrypt`;
  const listed = await docker("run", "--rm", "-v", mount, "--entrypoint", "certbot", IMAGES.certbot, "certificates");
  expect(listed).toContain("Certificate Name: demo.test");
  expect(listed).toMatch(/(?:Domains|Identifiers): demo\.test www\.demo\.test/);
  expect(listed).not.toMatch(/invalid/i);
});

test("port 80 redirects to HTTPS and goes on answering challenges in plain", async () => {
  const at = `http://127.0.0.1:${stack.httpPort}`;
  const redirected = await probe(`${at}/some/page?with=words`, { host: `www.demo.test:${stack.httpPort}` });
  expect(redirected.status).toBe(301);
  expect(redirected.headers.location).toBe(`https://www.demo.test:${stack.httpsPort}/some/page?with=words`);
  const folder = join(stack.folder, "volumes/certbot/www/.well-known/acme-challenge");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "a-token"), "its key authorization");
  try {
    const proof = await probe(`${at}/.well-known/acme-challenge/a-token`, { host: "demo.test" });
    expect(proof).toMatchObject({ status: 200, body: "its key authorization" });
    const missing = await probe(`${at}/.well-known/acme-challenge/another-token`, { host: "demo.test" });
    expect(missing.status).toBe(404);
  } finally {
    await rm(join(folder, "a-token"));
  }
});

test("with nothing due, update-cert ends with 0, asks nothing of the CA and reloads nothing", async () => {
  await askedWhenToRenew(stack);
  const before = { served: (await settledLeaf(stack)).fingerprint256, ...(await traces()) };
  const { code, stdout, stderr } = await stack.certbot("update-cert");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^demo\.test: not due, valid until .+ days left\), next renewal .+ UTC as the CA suggests$/m);
  expect(stdout).toMatch(/^demo\.test: nginx-1 serves it$/m);
  expect({ served: (await settledLeaf(stack)).fingerprint256, ...(await traces()) }).toEqual(before);
});

test("update-cert --force-renewal has another certificate served when it ends, by one reload and no restart", async () => {
  const before = await diskLeaf(stack);
  const { requests: _grow, ...counted } = await traces();
  const running = await stack.inspect("nginx", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}");
  const { code, stdout, stderr } = await stack.certbot("update-cert", "--force-renewal");
  const served = await settledLeaf(stack);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(served.fingerprint256).not.toBe(before.fingerprint256);
  expect(served.fingerprint256).toBe((await soundPair(stack)).fingerprint256);
  expect(served.publicKey.equals(before.publicKey)).toBe(false);
  expect(await stack.inspect("nginx", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}")).toBe(running);
  expect(await traces()).toMatchObject({ orders: counted.orders + 1, reloads: counted.reloads + 1 });
  // What a person who waits reads: each step, about which name.
  for (const words of ["demo.test: order placed", "nginx-1: reloaded"]) expect(stdout.split("\n")).toContain(words);
  // Pebble finds an old proof again now and then, though it is told not to.
  expect(stdout).toMatch(/^www\.demo\.test: (the CA has seen the proof|already proven to the CA)$/m);
  expect(stdout).not.toContain("undefined");
  expect(stdout).toMatch(/^demo\.test: renewed for demo\.test www\.demo\.test, valid until /m);
});

test("no challenge is left in the webroot", async () => {
  const left = await readdir(join(stack.folder, "volumes/certbot/www"), { recursive: true, withFileTypes: true });
  expect(left.filter((entry) => !entry.isDirectory()).map(({ name }) => name)).toEqual([]);
});

test("Docker finds the sidecar healthy", async () => {
  const health = await until("Docker says how the sidecar is", async () => {
    const status = await stack.inspect("certbot", "{{.State.Health.Status}}");
    return status === "starting" ? undefined : status;
  });
  expect(health).toBe("healthy");
});

async function traces() {
  const requests = (await stack.logs("pebble")).match(/ -> calling handler/g)?.length;
  return { requests, orders: await stack.orders(), reloads: await reloads(stack) };
}
