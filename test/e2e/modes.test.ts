import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { probe } from "../support/http-probe.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { untilIdle } from "./support/idle.ts";
import { servedByCa } from "./support/issued.ts";
import { servedLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const README = new URL("../../README.md", import.meta.url);

let stack: Stack;
tellOnFailure(() => stack);

describe("without CERTBOT_DOMAIN and without the profile", () => {
  beforeAll(async () => {
    stack = await createStack({ env: { CERTBOT_DOMAIN: "" } });
  });
  afterAll(() => stack?.remove());

  test.each(["", "false"])("NGINX_HTTPS_ENABLED=%s: port 80 answers, and there is no HTTPS", async (enabled) => {
    await plainUp({ NGINX_HTTPS_ENABLED: enabled });
    await until("nginx answers", async () => ((await overHttp()).status === 200 ? true : undefined));
    await expect(servedLeaf(stack)).rejects.toThrow(/ECONNRESET|socket disconnected/);
  });

  test("the README's openssl line makes the pair that nginx serves by itself", async () => {
    const [, line] = /`(openssl req .*?)`/.exec(await readFile(README, "utf8")) ?? [];
    await promisify(execFile)("sh", ["-c", line ?? "exit 1"], { cwd: stack.folder });
    await plainUp({ NGINX_HTTPS_ENABLED: "" });
    expect(await answers()).toEqual({ http: 200, https: 200, fingerprint: await fingerprintOf("dify.crt") });
  });

  test("NGINX_SSL_CERT_FILENAME and NGINX_SSL_CERT_KEY_FILENAME name a pair of one's own, and HTTPS enabled serves it", async () => {
    const folder = join(stack.folder, "nginx/ssl");
    await rename(join(folder, "dify.crt"), join(folder, "site.crt"));
    await rename(join(folder, "dify.key"), join(folder, "site.key"));
    await plainUp({
      NGINX_HTTPS_ENABLED: "true",
      NGINX_SSL_CERT_FILENAME: "site.crt",
      NGINX_SSL_CERT_KEY_FILENAME: "site.key",
    });
    expect(await answers()).toEqual({ http: 200, https: 200, fingerprint: await fingerprintOf("site.crt") });
  });
});

describe("with CERTBOT_DOMAIN", () => {
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack?.remove());

  test("nginx started alone, before any certificate exists, answers on port 80 and has a placeholder for HTTPS", async () => {
    await plainUp({ NGINX_HSTS_MAX_AGE: "300" });
    expect((await stack.composeOk("ps", "-a", "--services")).trim()).toBe("nginx");
    const placeholder = await until("nginx serves HTTPS", () => servedLeaf(stack));
    expect(placeholder.subject).toContain("CN=PLACEHOLDER for demo.test");
    expect(placeholder.issuer).toBe(placeholder.subject);
    expect((await overHttp()).status).toBe(200);
    const { status, headers } = await overHttps();
    expect(status).toBe(200);
    expect(headers["strict-transport-security"]).toBeUndefined();
  });

  test("the profile added later brings the real certificate, the redirect and HSTS, and nginx isn't restarted for it", async () => {
    const startedAt = await stack.inspect("nginx", "{{.State.StartedAt}} {{.RestartCount}}");
    await stack.up();
    await servedByCa(stack);
    expect(await stack.inspect("nginx", "{{.State.StartedAt}} {{.RestartCount}}")).toBe(startedAt);
    expect(await overHttp()).toMatchObject({
      status: 301,
      headers: { location: `https://demo.test:${stack.httpsPort}/` },
    });
    const { status, headers } = await overHttps();
    expect(status).toBe(200);
    expect(headers["strict-transport-security"]).toBe("max-age=300");
  });

  test("with HTTPS turned off in nginx, update-cert and status say so, and that is no failure", async () => {
    await untilIdle(stack); // a run under way would tell that nginx is gone
    await plainUp({ NGINX_HTTPS_ENABLED: "false" });
    await until("nginx answers", async () => ((await overHttp()).status === 200 ? true : undefined));
    const words = expect.stringContaining("nginx-1: NGINX_HTTPS_ENABLED is false there");
    expect(await stack.certbot("update-cert")).toMatchObject({ code: 0, stdout: words });
    expect(await stack.certbot("status")).toMatchObject({ code: 0, stdout: words });
    expect((await stack.events()).filter(({ event }) => event === "deploy.failed")).toEqual([]);
  });
});

/** `docker compose up -d` as somebody runs it who knows of no profile. */
async function plainUp(settings: Readonly<Record<string, string>>): Promise<void> {
  await rewriteEnv(stack, settings);
  const { code, stderr } = await stack.plainCompose("up", "-d");
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

async function answers() {
  const { fingerprint256 } = await until("nginx serves HTTPS", () => servedLeaf(stack));
  return { http: (await overHttp()).status, https: (await overHttps()).status, fingerprint: fingerprint256 };
}

async function fingerprintOf(file: string): Promise<string> {
  return new X509Certificate(await readFile(join(stack.folder, "nginx/ssl", file))).fingerprint256;
}

function overHttp() {
  return probe(`http://127.0.0.1:${stack.httpPort}/`, { host: `demo.test:${stack.httpPort}` });
}

function overHttps() {
  return probe(`https://127.0.0.1:${stack.httpsPort}/`, { host: "demo.test" });
}
