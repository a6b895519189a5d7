import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type NginxContainer, NginxStage } from "../support/nginx-container.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

let pair: TestCertificate;
beforeAll(async () => {
  pair = await makeTestCertificate(["DNS:shop.test"]);
});

const stage = new NginxStage();
beforeEach(async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
});

async function start(env: Readonly<Record<string, string>>, docker: readonly string[] = []): Promise<NginxContainer> {
  return await stage.start({ env: { CERTBOT_DOMAIN: "shop.test", ...env }, docker });
}

/** Where a visitor of plain http is sent to; undefined: he gets the application. */
async function sentTo(host: string, headers: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  const { status, headers: answer } = await stage.nginx.http("/a?b=c", { host, headers });
  expect([200, 301]).toContain(status);
  return status === 301 ? answer.location : undefined;
}

describe("where a visitor of plain http finds HTTPS", () => {
  test("is port 443 when that is the machine's", async () => {
    await start({ EXPOSE_NGINX_PORT: "8080" });
    expect(await sentTo("shop.test")).toBe("https://shop.test/a?b=c");
    expect(await sentTo("shop.test:8080")).toBe("https://shop.test/a?b=c");
  });

  test("is the machine's port for who has come by the machine's port, and isn't guessed for others", async () => {
    await start({ EXPOSE_NGINX_PORT: "127.0.0.1:8080", EXPOSE_NGINX_SSL_PORT: "4443" });
    expect(await sentTo("shop.test:8080")).toBe("https://shop.test:4443/a?b=c");
    for (const host of ["shop.test", "shop.test:80", "shop.test:18080"]) {
      expect([host, await sentTo(host)]).toEqual([host, undefined]);
    }
    expect(await stage.nginx.log()).toContain("set NGINX_PUBLIC_HTTPS_PORT");
  });

  test.each([
    ["443", "https://shop.test/a?b=c"],
    ["8443", "https://shop.test:8443/a?b=c"],
  ])("is NGINX_PUBLIC_HTTPS_PORT=%s when that is set", async (port, location) => {
    await start({ EXPOSE_NGINX_SSL_PORT: "4443", NGINX_PUBLIC_HTTPS_PORT: port });
    expect(await sentTo("shop.test")).toBe(location);
  });
});

describe("behind another proxy", () => {
  test("an address that is to be trusted is believed how the visitor came and who he is; no other one is", async () => {
    const gateway = { "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7" };
    await start({ NGINX_TRUSTED_PROXIES: "198.51.100.0/24 2001:db8::/32" });
    expect(await sentTo("shop.test", gateway)).toBe("https://shop.test/a?b=c");
    await start({ NGINX_TRUSTED_PROXIES: "2001:db8::/32 172.16.0.0/12 192.168.0.0/16 10.0.0.0/8" });
    expect(await sentTo("shop.test", gateway)).toBeUndefined();
    expect(await sentTo("shop.test", { ...gateway, "x-forwarded-proto": "https, http" })).toBeUndefined();
    expect(await sentTo("shop.test", { ...gateway, "x-forwarded-proto": "http" })).toBe("https://shop.test/a?b=c");
    expect(await sentTo("shop.test")).toBe("https://shop.test/a?b=c");
    expect(await stage.nginx.log()).toMatch(/^192\.0\.2\.7 - - /m);
  });

  test("an address that nginx refuses is named, and HTTPS stays", async () => {
    const server = await start({ NGINX_TRUSTED_PROXIES: "300.1.2.3" });
    expect(await server.log()).toContain('NGINX_TRUSTED_PROXIES="300.1.2.3" is not usable');
    expect((await server.https("/", { host: "shop.test" })).status).toBe(200);
  });

  test("the application is told the visitor's scheme, port and address", async () => {
    let seen: IncomingHttpHeaders = {};
    const app = createServer((request, response) => {
      seen = request.headers;
      response.end();
    });
    await new Promise<void>((resolve) => void app.listen(0, resolve));
    try {
      const { port } = app.address() as AddressInfo; // a TCP server has no other kind of address
      const env = { NGINX_UPSTREAM: `http://host.docker.internal:${port}`, EXPOSE_NGINX_SSL_PORT: "4443" };
      const docker = ["--add-host", "host.docker.internal:host-gateway"];
      const server = await start({ ...env, NGINX_TRUSTED_PROXIES: "172.16.0.0/12 192.168.0.0/16 10.0.0.0/8" }, docker);
      await server.https("/", { host: "shop.test" });
      expect(seen).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-port": "443" });
      await server.https("/", { host: "shop.test:4443" });
      expect(seen).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-port": "4443" });
      await server.http("/", { host: "shop.test" });
      expect(seen).toMatchObject({ "x-forwarded-proto": "http", "x-forwarded-port": "80" });
      const headers = { "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7" };
      await server.http("/", { host: "shop.test", headers });
      expect(seen).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-port": "443", "x-real-ip": "192.0.2.7" });
    } finally {
      app.closeAllConnections();
      app.close();
    }
  });
});
