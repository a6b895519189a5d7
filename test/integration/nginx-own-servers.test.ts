import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { type NginxContainer, NginxStage } from "../support/nginx-container.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

let pair: TestCertificate;
beforeAll(async () => {
  pair = await makeTestCertificate(["DNS:shop.test", "DNS:www.shop.test"]);
});

const TLS =
  "ssl_certificate /etc/letsencrypt/live/shop.test/fullchain.pem; ssl_certificate_key /etc/letsencrypt/live/shop.test/privkey.pem;";

const stage = new NginxStage();
beforeEach(async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
});

/** Starts nginx with a configuration file of the operator's. */
async function startWith(conf: string): Promise<NginxContainer> {
  await writeFile(join(stage.folders.confD, "site.conf"), conf);
  const env = { CERTBOT_DOMAIN: "shop.test,www.shop.test", NGINX_HTTP_REDIRECT: "false" };
  return await stage.start({
    env,
    docker: ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`],
  });
}

/** What a name gets on both ports: `own`, or the words of ours. */
async function answers(host: string): Promise<readonly string[]> {
  const both = [await stage.nginx.http("/", { host }), await stage.nginx.https("/", { host })];
  return both.map(({ body }) => (body === "own" ? "own" : body.slice(0, 11)));
}

const OURS = "nginx works";

test("an operator's own server wins over ours, for each of its names and ports, and that is said once", async () => {
  const server = await startWith(`
    server { listen 443 ssl; server_name shop.test; ${TLS} location / { return 200 own; } }
    server { listen 80; server_name www.shop.test; location / { return 200 own; } }`);
  expect(await answers("shop.test")).toEqual([OURS, "own"]);
  expect(await answers("www.shop.test")).toEqual(["own", OURS]);
  expect(await answers("other.test")).toEqual([OURS, OURS]);
  const log = await server.log();
  expect(log).toContain("cert-sidecar: shop.test on port 443: a server of your own answers, ours is left out");
  expect(log).toMatch(
    /cert-sidecar: www\.shop\.test on port 80: a server of your own .*include \/etc\/nginx\/sidecar\/challenge\.conf/,
  );
  expect(await server.exec("cat", "/etc/nginx/sidecar/own-servers")).toBe("shop.test 443\nwww.shop.test 80");
  expect(await server.step()).toBe("");
});

test("one in a file that ours doesn't look at is known while it is there, and no longer", async () => {
  const server = await startWith("include /tmp/elsewhere.con*;");
  await stage.folders.putList("shop.test default real shop.test www.shop.test\n");
  const write = (conf: string) => server.exec("sh", "-c", `echo '${conf}' >/tmp/elsewhere.conf`);
  const noted = async () => {
    await server.step();
    return server.exec("cat", "/etc/nginx/sidecar/own-servers");
  };
  await write(`server { listen 443 ssl; server_name shop.test; ${TLS} }`);
  expect([await noted(), await noted()]).toEqual(["shop.test 443", "shop.test 443"]);
  await write("");
  expect(await noted()).toBe("");
});

test("one that answers the challenge isn't told to, and the challenge is seen", async () => {
  await stage.folders.putChallenge("token", "token.thumbprint");
  const server = await startWith(
    "server { listen 80; server_name shop.test; include sidecar/challenge.conf; location ~ /\\. { deny all; } }",
  );
  const answer = await server.http("/.well-known/acme-challenge/token", { host: "shop.test" });
  expect(answer.body).toBe("token.thumbprint");
  expect(await server.log()).toMatch(/shop\.test on port 80: a server of your own answers, ours is left out$/m);
});

test("one that is the default server of both ports is so, and ours go on beside it", async () => {
  const server = await startWith(`
    server { listen 80 default_server; server_name _; location / { return 200 own; } }
    server { listen *:443 ssl default_server; ${TLS} location / { return 200 own; } }
    # server { listen 8080 default_server; }`);
  expect(await answers("other.test")).toEqual(["own", "own"]);
  expect(await answers("shop.test")).toEqual([OURS, OURS]);
  expect(await server.log()).not.toMatch(/refuse|a server of your own/);
});

test("a variable of an operator's own, of the name that everybody copies, stays his", async () => {
  const server = await startWith(`
    map $http_upgrade $connection_upgrade { default upgrade; '' his; }
    server { listen 80; server_name own.test; location / { return 200 $connection_upgrade; } }`);
  expect((await server.http("/", { host: "own.test" })).body).toBe("his");
});

test("an operator's own nginx.conf needs no more than one include of ours", async () => {
  await writeFile(join(stage.folders.confD, "own"), "events {}\nhttp { include /etc/nginx/certificates.d/*.conf; }\n");
  const env = { CERTBOT_DOMAIN: "shop.test", NGINX_UPSTREAM: "http://127.0.0.1:1" };
  const docker = ["-v", `${join(stage.folders.confD, "own")}:/etc/nginx/nginx.conf:ro`];
  const nginx = await stage.start({ env, docker });
  const host = "shop.test";
  expect((await nginx.http("/", { host })).headers.location).toBe("https://shop.test/");
  expect((await nginx.https("/", { host })).status).toBe(502);
});

test("one that is written with tabs has a broken pair's HTTPS stood in for, and all others'", async () => {
  const other = await makeTestCertificate(["DNS:other.test"]);
  await stage.folders.putPair("other.test", other.certificatePem, pair.keyPem);
  await writeFile(
    join(stage.folders.confD, "own"),
    "events {}\nhttp {\n\tinclude\t/etc/nginx/certificates.d/*.conf;\n}\n",
  );
  const docker = ["-v", `${join(stage.folders.confD, "own")}:/etc/nginx/nginx.conf:ro`];
  const nginx = await stage.start({ env: { CERTBOT_DOMAIN: "shop.test; other.test" }, docker });
  expect((await nginx.https("/", { host: "other.test" })).certificate?.subject).toContain("PLACEHOLDER");
  const served = (await nginx.https("/", { host: "shop.test" })).certificate?.fingerprint256;
  expect(served).toBe(new X509Certificate(pair.certificatePem).fingerprint256);
});
