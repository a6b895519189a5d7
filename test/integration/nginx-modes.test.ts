import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { type NginxContainer, type NginxOptions, NginxStage } from "../support/nginx-container.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import type { TestCertificate } from "../support/test-ca.ts";

const stage = new NginxStage();
let pair: TestCertificate;
let handMade: TestCertificate;

beforeAll(async () => {
  [pair, handMade] = await Promise.all([makeTestCertificate(["DNS:shop.test"]), makeTestCertificate(["DNS:old.test"])]);
});

async function start(env: Record<string, string>, more: NginxOptions = {}): Promise<NginxContainer> {
  return await stage.start({ ...more, env });
}

async function putHandMadePair(certificate = "dify.crt", key = "dify.key"): Promise<void> {
  await writeFile(join(stage.folders.ssl, certificate), handMade.certificatePem);
  await writeFile(join(stage.folders.ssl, key), handMade.keyPem, { mode: 0o600 });
}

function fingerprint({ certificatePem }: TestCertificate): string {
  return new X509Certificate(certificatePem).fingerprint256;
}

describe("NGINX_HTTPS_ENABLED", () => {
  test("unset, a hand-made pair turns HTTPS on; both schemes lead to the app", async () => {
    await putHandMadePair();
    const server = await start({});
    expect((await server.https("/", { host: "old.test" })).certificate?.fingerprint256).toBe(fingerprint(handMade));
    expect((await server.http("/", { host: "old.test" })).status).toBe(200);
    expect(await server.noted("https")).toBe("on");
  });

  test("true serves a placeholder when there is nothing else", async () => {
    const server = await start({ NGINX_HTTPS_ENABLED: "true" });
    const answer = await server.https("/");
    expect(answer.certificate?.subject).toContain("PLACEHOLDER");
    expect(answer.certificate?.protocol).toBe("TLSv1.3");
    expect((await server.http("/")).status).toBe(200);
  });

  test("false leaves HTTPS and the redirect off whatever is on disk, and answers challenges", async () => {
    await putHandMadePair();
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    await stage.folders.putChallenge("token", "token.thumbprint");
    const server = await start({ NGINX_HTTPS_ENABLED: "false", CERTBOT_DOMAIN: "shop.test" });
    await expect(server.https("/")).rejects.toThrow("ECONNREFUSED");
    expect((await server.http("/", { host: "shop.test" })).status).toBe(200);
    expect((await server.http("/.well-known/acme-challenge/token", { host: "shop.test" })).body).toBe(
      "token.thumbprint",
    );
    expect(await server.noted("https")).toBe("off-by-setting");
  });
});

const WITHOUT_DAC_OVERRIDE = [
  "--cap-drop",
  "ALL",
  ...["SETUID", "SETGID", "CHOWN"].flatMap((one) => ["--cap-add", one]),
];

/** Takes a file from root; where tests don't run as root it isn't root's anyway. */
async function takeFromRoot(path: string, mode: number): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, 1000, 1000);
  await chmod(path, mode);
}

test("a list that root in nginx's container may not read takes no certificate away: CERTBOT_DOMAIN is read at first, and the blocks stay", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  await stage.folders.putList("api.test default real api.test\n");
  const list = join(stage.folders.letsencrypt, "sidecar/certificates");
  await takeFromRoot(list, 0o600);
  const server = await start({ CERTBOT_DOMAIN: "shop.test" }, { docker: WITHOUT_DAC_OVERRIDE });
  const served = async () => (await server.https("/", { host: "shop.test" })).certificate?.fingerprint256;
  expect(await served()).toBe(fingerprint(pair));
  await takeFromRoot(list, 0o644);
  await stage.folders.putPair("api.test", handMade.certificatePem, handMade.keyPem);
  await stage.folders.putList("shop.test default real shop.test\napi.test - real api.test\n");
  await server.deploy();
  await takeFromRoot(list, 0o600);
  await expect(server.step()).rejects.toThrow("cannot read the list of certificates");
  await server.restart();
  expect(await served()).toBe(fingerprint(pair));
  expect((await server.https("/", { host: "api.test" })).certificate?.fingerprint256).toBe(fingerprint(handMade));
});

test.each(["", "# nothing\n", "\0\0\0\n", "a b|c; }\n"])(
  "a list that says nothing (%j) takes no certificate away: CERTBOT_DOMAIN is read",
  async (list) => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    await stage.folders.putList("shop.test default real shop.test\n");
    const server = await start({ CERTBOT_DOMAIN: "shop.test" });
    const served = async () => (await server.https("/", { host: "shop.test" })).certificate?.fingerprint256;
    await stage.folders.putList(list);
    await server.deploy();
    expect(await served()).toBe(fingerprint(pair));
    await server.restart();
    expect(await served()).toBe(fingerprint(pair));
  },
);

test("an nginx that an older version of this folder has started takes the next certificate", async () => {
  const server = await start({ CERTBOT_DOMAIN: "shop.test" });
  // As an older one leaves it: it has written no such file.
  await server.exec("rm", "/etc/nginx/sidecar/variables.conf");
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  expect(await server.deploy()).toContain("certificate shop.test: served from");
});

test("a certificate that arrives is seen by its files alone, whatever tools the image has", async () => {
  const hide = 'rm -f "$(command -v stat)"; exec sh /opt/cert-sidecar/nginx/entrypoint.sh';
  const server = await start({ CERTBOT_DOMAIN: "shop.test" }, { command: ["-c", hide] });
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  expect(await server.deploy()).toContain("certificate shop.test: served from");
});

test("a pipe in a certificate's place keeps nothing waiting", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  await mkdir(join(stage.folders.letsencrypt, "live/pipe.test"));
  await promisify(execFile)("mkfifo", [join(stage.folders.letsencrypt, "live/pipe.test/fullchain.pem")]);
  const server = await start({ CERTBOT_DOMAIN: "shop.test; pipe.test" });
  const served = async (host: string) => (await server.https("/", { host })).certificate;
  expect((await served("shop.test"))?.fingerprint256).toBe(fingerprint(pair));
  expect((await served("pipe.test"))?.subject).toContain("PLACEHOLDER");
});

test("a key that root in nginx's container may not read is stood in for, and what to give is written down", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  await takeFromRoot(join(stage.folders.letsencrypt, "live/shop.test/privkey.pem"), 0o600);
  const server = await start({ CERTBOT_DOMAIN: "shop.test; new.test" }, { docker: WITHOUT_DAC_OVERRIDE });
  expect((await server.https("/", { host: "shop.test" })).certificate?.subject).toContain("PLACEHOLDER");
  const key = "/etc/letsencrypt/live/shop.test/privkey.pem";
  const [unreadable, missing] = (await server.noted("problems")).split("\n");
  expect(unreadable).toBe(
    `shop.test ${key} can't be read: root in nginx's container may not read ${key} (give it the capability DAC_OVERRIDE)`,
  );
  expect(missing).toBe("new.test /etc/letsencrypt/live/new.test/fullchain.pem is missing");
  expect(await server.step()).toBe("");
  expect(await server.noted("problems")).toContain(`shop.test ${key} can't be read`);
});

test("HTTPS speaks HTTP/2, and no TLS older than 1.2", async () => {
  const server = await start({ NGINX_HTTPS_ENABLED: "true" });
  const handshake = (...options: readonly string[]) =>
    server.exec("sh", "-c", `openssl s_client -connect 127.0.0.1:443 ${options.join(" ")} </dev/null 2>&1 || true`);
  expect(await handshake("-alpn", "h2,http/1.1")).toContain("ALPN protocol: h2");
  expect(await handshake("-tls1_2")).toMatch(/Protocol\s*: TLSv1\.2/);
  expect(await handshake("-tls1_1", "-cipher", "'ALL:@SECLEVEL=0'")).toMatch(/alert protocol version|no protocols/);
});

describe("a hand-made pair", () => {
  test("redirects only when asked to", async () => {
    await putHandMadePair("mine.crt", "mine.key");
    const names = { NGINX_SSL_CERT_FILENAME: "mine.crt", NGINX_SSL_CERT_KEY_FILENAME: "mine.key" };
    const server = await start({ ...names, NGINX_HTTP_REDIRECT: "true", NGINX_SERVER_NAME: "old.test" });
    const redirect = await server.http("/a", { host: "old.test" });
    expect([redirect.status, redirect.headers.location]).toEqual([301, "https://old.test/a"]);
  });

  test("serves the names without a certificate, and stands in for one that is not issued yet", async () => {
    await putHandMadePair();
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    const server = await start({ CERTBOT_DOMAIN: "shop.test; new.test", NGINX_SERVER_NAME: "old.test shop.test" });
    const served = async (host: string) => (await server.https("/", { host })).certificate?.fingerprint256;
    expect(await served("shop.test")).toBe(fingerprint(pair));
    expect(await served("old.test")).toBe(fingerprint(handMade));
    expect(await served("new.test")).toBe(fingerprint(handMade));
    expect((await server.http("/", { host: "new.test" })).status).toBe(200);
    expect((await server.http("/", { host: "shop.test" })).status).toBe(301);
    expect(await server.log()).not.toContain("[warn]");
  });
});

test("NGINX_HTTP_REDIRECT=false leaves the app on both schemes", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  const server = await start({ CERTBOT_DOMAIN: "shop.test", NGINX_HTTP_REDIRECT: "false" });
  expect((await server.http("/", { host: "shop.test" })).status).toBe(200);
  const answer = await server.https("/", { host: "shop.test" });
  expect(answer.certificate?.fingerprint256).toBe(fingerprint(pair));
  expect(answer.headers["strict-transport-security"]).toBeUndefined();
});

test("a certificate for IP addresses is the one that clients without a name get", async () => {
  await stage.folders.putPair("box", handMade.certificatePem, handMade.keyPem);
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  await stage.folders.putList("shop.test shop.test\nbox 203.0.113.7 2001:db8::1\n");
  const server = await start({});
  expect((await server.https("/")).certificate?.fingerprint256).toBe(fingerprint(handMade));
  expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
  expect((await server.http("/", { host: "[2001:db8::1]" })).headers.location).toBe("https://[2001:db8::1]/");
});

test("other ports and several names are the same to it", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  const server = await start({ CERTBOT_DOMAIN: "shop.test", NGINX_PORT: "8080", NGINX_SSL_PORT: "8443" });
  const answer = await server.https("/", { host: "shop.test", port: 8443 });
  expect(answer.certificate?.fingerprint256).toBe(fingerprint(pair));
  expect((await server.http("/", { host: "shop.test", port: 8080 })).headers.location).toBe("https://shop.test/");
});

test("without openssl a certificate has no HTTPS until it is there, and port 80 works", async () => {
  const hide = 'rm -f "$(command -v openssl)"; exec sh /opt/cert-sidecar/nginx/entrypoint.sh';
  const server = await start({ CERTBOT_DOMAIN: "shop.test" }, { command: ["-c", hide] });
  await expect(server.https("/")).rejects.toThrow("ECONNREFUSED");
  expect((await server.http("/", { host: "shop.test" })).status).toBe(200);
  expect(await server.log()).toContain("certificate shop.test: left without HTTPS");
  expect(await server.step()).toBe("");
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  await server.deploy();
  expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
});
