import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { docker } from "../support/docker-command.ts";
import { HostFolders, NginxContainer } from "../support/nginx-container.ts";

const NGINX_FOLDER = new URL("../../nginx", import.meta.url).pathname;

describe("with no settings at all", () => {
  let folders: HostFolders;
  let nginx: NginxContainer;
  beforeAll(async () => {
    folders = await HostFolders.create();
    nginx = await NginxContainer.start(folders, {
      env: { NGINX_CLIENT_MAX_BODY_SIZE: "100 M", CERTBOT_DOMAIN: "your_domain.com", NGINX_UPSTREAM: "" },
    });
  });
  afterAll(async () => {
    await folders.remove();
    await nginx.remove();
  });

  test("says that nginx works and what to set", async () => {
    const answer = await nginx.http("/any/path", { host: "whoever.test" });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toContain("text/plain");
    expect(answer.body).toContain("Set NGINX_UPSTREAM");
    expect(answer.headers["server"]).toBe("nginx");
  });

  test("serves challenges, and nothing else of the webroot", async () => {
    await folders.putChallenge("token-1", "token-1.thumbprint");
    const answer = await nginx.http("/.well-known/acme-challenge/token-1", { host: "whoever.test" });
    expect(answer.body).toBe("token-1.thumbprint");
    expect(answer.headers["content-type"]).toBe("text/plain");
    expect((await nginx.http("/.well-known/acme-challenge/none")).status).toBe(404);
    expect((await nginx.http("/.well-known/acme-challenge/")).status).toBe(403);
  });

  test("has no HTTPS", async () => {
    await expect(nginx.https("/")).rejects.toThrow("ECONNREFUSED");
  });

  test("names a value that nginx would choke on, and goes on with the default", async () => {
    expect(await nginx.log()).toContain('NGINX_CLIENT_MAX_BODY_SIZE="100 M" is not usable');
    expect(await nginx.exec("cat", "/etc/nginx/nginx.conf")).toContain("client_max_body_size 100M;");
  });

  test("has no IPv6 listener where the container has no IPv6, and one where it has", async () => {
    const hasIpv6 = (await nginx.exec("cat", "/proc/net/if_inet6")) !== "";
    const blocks = await nginx.exec("cat", "/etc/nginx/certificates.d/certificates.conf");
    expect(/^ *listen \[::\]:80/m.test(blocks)).toBe(hasIpv6);
  });

  test("wrote nothing into the host's folders", async () => {
    expect(await readdir(folders.letsencrypt)).toEqual([]);
    expect(await readdir(folders.ssl)).toEqual([]);
  });

  test("nginx is process 1, and stop ends it without a kill", async () => {
    expect(await nginx.exec("cat", "/proc/1/cmdline")).toContain("nginx: master process");
    await docker("stop", "-t", "30", nginx.name);
    expect(await docker("inspect", "-f", "{{.State.ExitCode}}", nginx.name)).toBe("0");
  });
});

test("listens on IPv6 too where the container has it", async () => {
  const folders = await HostFolders.create();
  const sysctl = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.lo.disable_ipv6=0"];
  const nginx = await NginxContainer.start(folders, { env: { NGINX_HTTPS_ENABLED: "true" }, docker: sysctl });
  try {
    expect(await nginx.exec("cat", "/proc/net/if_inet6")).not.toBe("");
    const blocks = await nginx.exec("cat", "/etc/nginx/certificates.d/certificates.conf");
    expect(blocks).toContain("listen [::]:80 default_server;");
    expect(blocks).toContain("listen [::]:443 ssl default_server;");
  } finally {
    await nginx.remove();
    await folders.remove();
  }
});

test("starts from a checkout with CRLF line ends", async () => {
  const folders = await HostFolders.create();
  const copy = await mkdtemp(join(tmpdir(), "nginx-crlf-"));
  await cp(NGINX_FOLDER, copy, { recursive: true });
  for (const entry of await readdir(copy, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    await writeFile(path, (await readFile(path, "utf8")).replaceAll(/\r?\n/g, "\r\n"));
  }
  let nginx: NginxContainer | undefined;
  try {
    nginx = await NginxContainer.start(folders, { nginxFolder: copy, env: { CERTBOT_DOMAIN: "shop.test" } });
    expect((await nginx.https("/", { host: "shop.test" })).certificate?.subject).toContain("PLACEHOLDER for shop.test");
    expect(await nginx.step()).toBe("");
    expect(await nginx.log()).not.toContain("not found");
  } finally {
    await nginx?.remove();
    await folders.remove();
    await rm(copy, { recursive: true });
  }
});

describe("in front of an app", () => {
  let folders: HostFolders;
  let network: string;
  let app: Server;
  let seen: IncomingHttpHeaders = {};
  beforeAll(async () => {
    folders = await HostFolders.create();
    network = `cert-sidecar-nginx-test-${randomBytes(5).toString("hex")}`;
    await docker("network", "create", network);
    app = createServer((request, response) => {
      seen = request.headers;
      response.end(`app ${request.url ?? ""}`);
    });
    app.on("upgrade", (request, socket) => {
      socket.end(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade ?? ""}\r\nConnection: Upgrade\r\n\r\n`,
      );
    });
    await new Promise<void>((resolve) => app.listen(0, "0.0.0.0", resolve));
  });
  afterAll(async () => {
    app.closeAllConnections();
    app.close();
    await docker("network", "rm", network);
    await folders.remove();
  });

  test("passes the request on with what the app has to know about it, and of other protocols WebSocket alone", async () => {
    const { port } = app.address() as AddressInfo; // a TCP server has no other kind of address
    const nginx = await NginxContainer.start(folders, {
      env: {
        NGINX_UPSTREAM: `http://host.docker.internal:${port}/`,
        NGINX_HTTPS_ENABLED: "true",
      },
      docker: ["--network", network, "--add-host", "host.docker.internal:host-gateway"],
    });
    try {
      const answer = await nginx.https("/a%20b/?q=%2F", {
        host: "shop.test",
        headers: { "x-forwarded-for": "192.0.2.1" },
      });
      expect(answer.body).toBe("app /a%20b/?q=%2F");
      expect(seen).toMatchObject({ host: "shop.test", "x-forwarded-proto": "https", "x-forwarded-port": "443" });
      expect(seen["x-forwarded-for"]).toMatch(/^192\.0\.2\.1, [\d.]+$/);
      expect(seen["x-real-ip"]).toMatch(/^[\d.]+$/);
      expect(await nginx.upgradeProtocol("/socket", "websocket")).toBe("websocket");
      expect(await nginx.upgradeProtocol("/socket", "WebSocket")).toBe("WebSocket");
      for (const other of ["h2c", "TLS/1.0", "websocket, h2c", "h2c, websocket", "websocket/2"]) {
        await expect(nginx.upgradeProtocol("/tunnel", other)).rejects.toThrow("answered 200");
        expect([other, seen["upgrade"], seen["connection"]]).toEqual([other, undefined, "close"]);
      }
    } finally {
      await nginx.remove();
    }
  });

  test("starts before its app is there, and finds it as soon as it is", async () => {
    const nginx = await NginxContainer.start(folders, {
      env: { NGINX_UPSTREAM: "late-app:8080" },
      docker: ["--network", network],
    });
    const late = await HostFolders.create();
    let lateApp: NginxContainer | undefined;
    try {
      expect((await nginx.http("/")).status).toBe(502);
      await folders.putChallenge("token-2", "token-2.thumbprint");
      expect((await nginx.http("/.well-known/acme-challenge/token-2")).body).toBe("token-2.thumbprint");
      const alias = ["--network", network, "--network-alias", "late-app"];
      lateApp = await NginxContainer.start(late, { env: { NGINX_PORT: "8080" }, docker: alias });
      await vi.waitFor(async () => {
        expect((await nginx.http("/")).status).toBe(200);
      }, 30_000);
    } finally {
      await lateApp?.remove();
      await nginx.remove();
      await late.remove();
    }
  });
});
