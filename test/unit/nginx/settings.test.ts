import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readContainer } from "../../../src/target/docker/container.ts";
import { nginxPorts } from "../../../src/target/nginx-settings.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";

const LIBRARY = fileURLToPath(new URL("../../../nginx/lib", import.meta.url));
let stubs = "";

beforeEach(async () => {
  stubs = await mkdtemp(join(tmpdir(), "nginx-stub-"));
});

afterEach(async () => {
  await rm(stubs, { recursive: true, force: true });
});

/** Reads the settings with an nginx that gives `version`, and prints the shell words `show`. */
async function settings(show: string, env: Record<string, string> = {}, version = "nginx version: nginx/1.30.6") {
  const nginx = join(stubs, "nginx");
  await writeFile(nginx, `#!/bin/sh\necho '${version}' >&2\n`);
  await chmod(nginx, 0o755);
  const script = `. ${LIBRARY}/files.sh; . ${LIBRARY}/search.sh; . ${LIBRARY}/settings.sh; read_settings; printf '%s' "${show}"`;
  const PATH = `${stubs}:${process.env["PATH"] ?? ""}`;
  const { stdout, stderr, status } = spawnSync("/bin/sh", ["-c", script], { env: { PATH, ...env }, encoding: "utf8" });
  if (status !== 0) throw new Error(`the shell failed: ${stderr}`);
  return { value: stdout, complaints: stderr };
}

test.each([
  ["nginx version: nginx/1.22.1", " http2||"],
  ["nginx version: nginx/1.25.0", " http2||"],
  ["nginx version: nginx/1.25.1", "|http2 on;|"],
  ["nginx version: nginx/1.26.3 (Debian)", "|http2 on;|"],
  ["nginx version: nginx/1.27.4", "|http2 on;|keepalive_min_timeout 5s;"],
  ["nginx version: nginx/1.30.6", "|http2 on;|keepalive_min_timeout 5s;"],
  ["nginx version: openresty/1.27.1.2", "|http2 on;|"],
  ["Tengine version: Tengine/3.1.0", " http2||"],
])("%s gets the directives that it knows", async (version, directives) => {
  const shown = "$HTTP2_LISTEN_OPTION|$HTTP2_DIRECTIVE|$KEEPALIVE_MIN_TIMEOUT_DIRECTIVE";
  expect((await settings(shown, {}, version)).value).toBe(directives);
});

test("an empty setting counts as unset", async () => {
  const { value, complaints } = await settings("$NGINX_CLIENT_MAX_BODY_SIZE", { NGINX_CLIENT_MAX_BODY_SIZE: "" });
  expect(value).toBe("100M");
  expect(complaints).toBe("");
});

test.each([
  ["NGINX_CLIENT_MAX_BODY_SIZE", "100 M", "100M"],
  ["NGINX_CLIENT_MAX_BODY_SIZE", "1m;\nreturn 200", "100M"],
  ["NGINX_KEEPALIVE_TIMEOUT", "65; include /etc/passwd", "65"],
  ["NGINX_PORT", "0", "80"],
  ["NGINX_PORT", "65536", "80"],
  ["NGINX_SSL_PORT", "https", "443"],
  ["NGINX_SERVER_NAME", "a.test; }", "_"],
  ["NGINX_SERVER_NAME", "a.*.test", "_"],
  ["NGINX_SERVER_NAME", "*.a.*", "_"],
  ["NGINX_SSL_PROTOCOLS", "SSLv3", "TLSv1.2 TLSv1.3"],
  ["NGINX_SSL_CERT_FILENAME", "../letsencrypt/x.pem", "dify.crt"],
  ["NGINX_WORKER_PROCESSES", "many", "auto"],
  ["NGINX_HSTS_MAX_AGE", "1 year", "0"],
  ["NGINX_HTTPS_ENABLED", "on", "auto"],
  ["NGINX_HTTPS_ENABLED", "False", "auto"],
  ["NGINX_UPSTREAM", "http://app:8080/base", ""],
  ["NGINX_UPSTREAM", "app:8080;", ""],
  ["NGINX_PROXY_READ_TIMEOUT", "1 h", "3600s"],
])("%s=%j is named and gets its default", async (name, value, fallback) => {
  const read = await settings(`$${name}`, { [name]: value });
  expect(read.value).toBe(fallback);
  expect(read.complaints).toMatch(new RegExp(`^cert-sidecar: ${name}=".*" is not usable: give .*\n$`));
});

test.each([
  ["NGINX_SERVER_NAME", "a.test *.b.test .c.test d.*"],
  ["NGINX_UPSTREAM", "http://app:8080"],
  ["NGINX_UPSTREAM", "app_1:8080"],
  ["NGINX_UPSTREAM", "https://[2001:db8::1]:8443/"],
  ["NGINX_KEEPALIVE_TIMEOUT", "65 60s"],
  ["NGINX_SSL_PROTOCOLS", "TLSv1.1 TLSv1.2 TLSv1.3"],
  ["NGINX_SSL_CERT_FILENAME", "shop/fullchain.pem"],
  ["NGINX_PORT", "65535"],
  ["NGINX_PUBLIC_HTTPS_PORT", "8443"],
  ["NGINX_TRUSTED_PROXIES", "10.0.0.0/8 2001:db8::/32 192.0.2.1"],
])("%s=%s is taken as it is", async (name, value) => {
  expect(await settings(`$${name}`, { [name]: value })).toEqual({ value, complaints: "" });
});

test("a port with an address in front is known by its port", async () => {
  const env = { EXPOSE_NGINX_SSL_PORT: "127.0.0.1:8443", EXPOSE_NGINX_PORT: "[::1]:8080" };
  const { value, complaints } = await settings("$HTTPS_HOSTS", env);
  expect(value).toBe('"~^http:.*:8080$" "$host:8443";');
  expect(complaints).toBe("");
});

test("one port for HTTP and HTTPS is a mistake", async () => {
  const { value, complaints } = await settings("$NGINX_PORT $NGINX_SSL_PORT", { NGINX_PORT: "443" });
  expect(value).toBe("80 443");
  expect(complaints).toContain("NGINX_SSL_PORT");
});

test.each([
  ["8080", "8443"],
  ["8080\r", "8443\r"],
  ["", "08443"],
  [" 8080", "8443 "],
  ["0x50", "8443\r\r"],
  ["65536", "65535"],
  ["8080", "8080"],
  ["443", "443"],
  ["443", ""],
  ["", "80"],
])("the sidecar looks at the ports that nginx takes from NGINX_PORT=%j and NGINX_SSL_PORT=%j", async (http, tls) => {
  const env = { NGINX_PORT: http, NGINX_SSL_PORT: tls };
  const container = readContainer(
    inspectedContainer({ id: "a", env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }),
  );
  const { value } = await settings("$NGINX_PORT $NGINX_SSL_PORT", env);
  expect(Object.values(nginxPorts(container)).join(" ")).toBe(value);
});

test("a carriage return at the end, from a file with CRLF, is not part of the value", async () => {
  expect((await settings("$NGINX_PORT", { NGINX_PORT: "8080\r" })).value).toBe("8080");
});
