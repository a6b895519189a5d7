import { X509Certificate } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { HostFolders, NginxContainer } from "../support/nginx-container.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import type { TestCertificate } from "../support/test-ca.ts";

const CHALLENGE = "/.well-known/acme-challenge/token";

function fingerprint({ certificatePem }: TestCertificate): string {
  return new X509Certificate(certificatePem).fingerprint256;
}

// One container lives through this story; each test goes on where the one before ended.
describe("a certificate's life beside a running nginx", () => {
  let folders: HostFolders;
  let nginx: NginxContainer;
  let shop: TestCertificate;
  let api: TestCertificate;
  let processBefore = "";

  beforeAll(async () => {
    [shop, api] = await Promise.all([makeTestCertificate(["DNS:shop.test"]), makeTestCertificate(["DNS:*.api.test"])]);
    folders = await HostFolders.create();
    await folders.putChallenge("token", "token.thumbprint");
    nginx = await NginxContainer.start(folders, {
      env: {
        CERTBOT_DOMAIN: "shop.test, www.shop.test; api.test",
        NGINX_HSTS_MAX_AGE: "300",
        NGINX_PUBLIC_HTTPS_PORT: "8443",
        // Dify's users have set these for the certbot flow.
        NGINX_SSL_CERT_FILENAME: "fullchain.pem",
        NGINX_SSL_CERT_KEY_FILENAME: "privkey.pem",
        NGINX_SERVER_NAME: "shop.test",
      },
    });
    processBefore = await docker("inspect", "-f", "{{.State.Pid}} {{.RestartCount}}", nginx.name);
  });
  afterAll(async () => {
    await folders.remove();
    await nginx.remove();
  });

  const served = async (host: string) => (await nginx.https("/", { host })).certificate;

  test("before the first issue a placeholder is served, without redirect or HSTS", async () => {
    const answer = await nginx.https("/", { host: "www.shop.test" });
    expect(answer.certificate?.subject).toContain("PLACEHOLDER for shop.test");
    expect(answer.headers["strict-transport-security"]).toBeUndefined();
    expect((await served("api.test"))?.subject).toContain("PLACEHOLDER for api.test");
    expect((await nginx.http("/", { host: "shop.test" })).status).toBe(200);
    expect((await nginx.http(CHALLENGE, { host: "shop.test" })).body).toBe("token.thumbprint");
    const modes = await nginx.exec("sh", "-c", "stat -c %a /etc/nginx/placeholder /etc/nginx/placeholder/*/pair.pem");
    expect(modes.split("\n")).toEqual(["700", "600", "600"]);
  });

  test("the log says at start why it is a placeholder, and nginx has nothing to warn of", async () => {
    const log = await nginx.log();
    expect(log).toContain("certificate shop.test: placeholder, not trusted by browsers, because");
    expect(log).not.toMatch(/\[(warn|emerg|error)\]/);
  });

  test("the step says nothing and changes nothing when nothing has changed", async () => {
    const listing = () =>
      nginx.exec("sh", "-c", "ls -li --full-time /etc/nginx/certificates.d /etc/nginx/placeholder/*");
    const before = await listing();
    expect(await nginx.step()).toBe("");
    expect(await listing()).toBe(before);
  });

  test("after the issue the step and a reload serve the real certificate, in the same process", async () => {
    await folders.putPair("shop.test", shop.certificatePem, shop.keyPem);
    expect(await nginx.deploy()).toMatch(/^cert-sidecar: certificate shop\.test: served from [^\n]*fullchain\.pem$/);
    expect((await served("www.shop.test"))?.fingerprint256).toBe(fingerprint(shop));
    expect((await nginx.http("/", { host: "shop.test" })).status).toBe(301);
    expect((await served("api.test"))?.subject).toContain("PLACEHOLDER");
    expect(await docker("inspect", "-f", "{{.State.Pid}} {{.RestartCount}}", nginx.name)).toBe(processBefore);
  });

  test("a real certificate turns on HSTS and the redirect, except for challenges", async () => {
    expect((await nginx.https("/", { host: "shop.test" })).headers["strict-transport-security"]).toBe("max-age=300");
    const redirect = await nginx.http("/a?b=c", { host: "www.shop.test" });
    expect([redirect.status, redirect.headers.location]).toEqual([301, "https://www.shop.test:8443/a?b=c"]);
    expect((await nginx.http(CHALLENGE, { host: "www.shop.test" })).body).toBe("token.thumbprint");
    expect((await nginx.https(CHALLENGE, { host: "www.shop.test" })).body).toBe("token.thumbprint");
    expect((await nginx.http("/", { host: "api.test" })).status).toBe(200);
    expect((await nginx.http("/", { host: "unknown.test" })).status).toBe(200);
  });

  test("a client that names no server, or an unknown one, gets the first certificate", async () => {
    expect((await nginx.https("/")).certificate?.fingerprint256).toBe(fingerprint(shop));
    expect((await served("unknown.test"))?.fingerprint256).toBe(fingerprint(shop));
  });

  test("the sidecar's list wins over CERTBOT_DOMAIN, wildcards included, and nothing in it reaches the configuration unchecked", async () => {
    await folders.putPair("api", api.certificatePem, api.keyPem);
    await folders.putList(
      [
        "# written by the sidecar",
        "shop.test default real shop.test www.shop.test",
        "api - real *.api.test api.test",
        "a.test - real a.test;}server{listen",
        "../../ssl evil.test",
        "evil\tevil.test; include /etc/passwd;",
      ].join("\n"),
    );
    const lines = await nginx.deploy();
    expect(lines).toContain("certificate api: served from /etc/letsencrypt/live/api/fullchain.pem");
    expect(lines).toContain("certificate api.test: no longer wanted, its server block is removed");
    expect((await served("deep.api.test"))?.fingerprint256).toBe(fingerprint(api));
    expect((await served("api.test"))?.fingerprint256).toBe(fingerprint(api));
    expect((await served("shop.test"))?.fingerprint256).toBe(fingerprint(shop));
    expect(await nginx.exec("ls", "/etc/nginx/certificates.d")).toBe("certificates.conf");
    const rendered = await nginx.exec("sh", "-c", "cat /etc/nginx/certificates.d/*.conf");
    expect(rendered).not.toMatch(/evil|passwd|a\.test;}/);
  });

  test("two steps at once leave what one leaves", async () => {
    const listing = () =>
      nginx.exec("sh", "-c", "cat /etc/nginx/certificates.d/*.conf; ls -A /etc/nginx/certificates.d");
    const settled = await listing();
    await folders.putList("shop.test default real shop.test\n");
    const [, , other] = await Promise.all([
      nginx.step(),
      nginx.step(),
      folders
        .putList("shop.test default real shop.test www.shop.test\napi - real *.api.test api.test\n")
        .then(() => nginx.step()),
    ]);
    expect(other).toBeDefined();
    expect(await listing()).toBe(settled);
  });

  test("for another version of a pair a step asks nginx alone; whatever else has changed makes it do all", async () => {
    const isWhole = async () =>
      (await nginx.exec("sh", "-c", "sh -x /opt/cert-sidecar/nginx/certificate-step.sh 2>&1")).includes(
        "run_certificate_step",
      );
    const change = (script: string) => nginx.exec("sh", "-c", script);
    expect(await isWhole()).toBe(false);
    const renewed = await makeTestCertificate(["DNS:*.api.test"]);
    await folders.putPair("api", renewed.certificatePem, renewed.keyPem);
    expect(await isWhole()).toBe(false);
    const changes: Readonly<Record<string, () => Promise<unknown>>> = {
      "the list": () =>
        folders.putList("api - real *.api.test api.test\nshop.test default real shop.test www.shop.test\n"),
      "a file of the operator's": () => change("echo 'server { listen 81; }' >/etc/nginx/conf.d/own.conf"),
      "the same, of the same size and name": () => change("sed -i s/81/82/ /etc/nginx/conf.d/own.conf"),
      "the same, gone": () => change("rm /etc/nginx/conf.d/own.conf"),
      "the blocks": () => change("echo '# edited' >>/etc/nginx/certificates.d/certificates.conf"),
      "the hand-made pair": () => writeFile(join(folders.ssl, "fullchain.pem"), shop.certificatePem),
    };
    for (const [what, doIt] of Object.entries(changes)) {
      await doIt();
      expect([what, await isWhole(), await isWhole()]).toEqual([what, true, false]);
    }
    await rm(join(folders.ssl, "fullchain.pem"));
    expect(await change("tail -n 1 /etc/nginx/certificates.d/certificates.conf")).not.toContain("edited");
  });

  test("a key that does not belong to its certificate gives a placeholder, so that nginx can reload and restart", async () => {
    await folders.putPair("api", api.certificatePem, shop.keyPem);
    expect(await nginx.deploy()).toMatch(/certificate api: placeholder, .* nginx refuses .*key values mismatch/);
    expect(await nginx.noted("problems")).toMatch(/^api nginx refuses .*key values mismatch/);
    expect((await served("api.test"))?.subject).toContain("PLACEHOLDER for api");
    expect((await nginx.http("/", { host: "api.test" })).status).toBe(200);
  });

  test("a pair that nginx has refused and takes now stays when the step comes for another one", async () => {
    await folders.putPair("api", api.certificatePem, api.keyPem);
    const stamp = "$(cd /etc/letsencrypt/live/api && cat fullchain.pem privkey.pem | cksum | tr ' ' -)";
    await nginx.exec("sh", "-c", `echo "certificate|api|${stamp}|key too small" >/etc/nginx/sidecar/refused`);
    await nginx.step("shop.test");
    expect(await nginx.exec("cat", "/etc/nginx/certificates.d/certificates.conf")).not.toContain("/placeholder/");
    expect(await nginx.exec("cat", "/etc/nginx/sidecar/refused")).toBe("");
  });

  test("with live/ lost nginx restarts, answers challenges and serves placeholders without redirect", async () => {
    await rm(join(folders.letsencrypt, "live"), { recursive: true });
    await nginx.restart();
    expect((await nginx.http("/", { host: "shop.test" })).status).toBe(200);
    expect((await nginx.http(CHALLENGE, { host: "shop.test" })).body).toBe("token.thumbprint");
    const answer = await nginx.https("/", { host: "shop.test" });
    expect(answer.certificate?.subject).toContain("PLACEHOLDER for shop.test");
    expect(answer.headers["strict-transport-security"]).toBeUndefined();
  });

  test("with the list and everything else of /etc/letsencrypt lost CERTBOT_DOMAIN is enough", async () => {
    await rm(join(folders.letsencrypt, "sidecar"), { recursive: true });
    await folders.putPair("shop.test", shop.certificatePem, shop.keyPem);
    await nginx.restart();
    expect((await served("www.shop.test"))?.fingerprint256).toBe(fingerprint(shop));
    expect((await served("api.test"))?.subject).toContain("PLACEHOLDER for api.test");
  });
});

describe("a certificate for IP addresses", () => {
  const V4 = "203.0.113.7";
  const V6 = "[2001:db8::1]";
  let folders: HostFolders;
  let nginx: NginxContainer;
  let shop: TestCertificate;
  let box: TestCertificate;

  beforeAll(async () => {
    [shop, box] = await Promise.all([
      makeTestCertificate(["DNS:shop.test"]),
      makeTestCertificate(["IP:203.0.113.7", "IP:2001:db8::1"]),
    ]);
    folders = await HostFolders.create();
    await folders.putChallenge("token", "token.thumbprint");
    const env = {
      CERTBOT_DOMAIN: `shop.test; ${V6}, ${V4}`,
      NGINX_HSTS_MAX_AGE: "300",
      NGINX_PUBLIC_HTTPS_PORT: "8443",
    };
    // IPv6 inside of the container alone, which not every machine's Docker gives a network to.
    nginx = await NginxContainer.start(folders, { env, docker: ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"] });
  });
  afterAll(async () => {
    await folders.remove();
    await nginx.remove();
  });

  /** What nginx presents to a client that names no server, on one of its own addresses. */
  const presentedAt = async (address: string) => {
    const client = `echo | openssl s_client -noservername -connect ${address}:443 2>/dev/null`;
    const facts = await nginx.exec("sh", "-c", `${client} | openssl x509 -noout -subject -fingerprint -sha256`);
    return facts.replaceAll("\n", " ");
  };

  test("before the sidecar's list is there addresses get what all names get, and challenges their answer", async () => {
    expect((await nginx.https("/", { host: V4 })).certificate?.subject).toContain("PLACEHOLDER for shop.test");
    for (const host of [V4, V6]) {
      expect((await nginx.http(CHALLENGE, { host })).body).toBe("token.thumbprint");
      expect((await nginx.http("/", { host })).status).toBe(200);
    }
  });

  test("after it, clients that name no server get it, over IPv4 and IPv6; names get their own", async () => {
    await folders.putList(`shop.test - real shop.test\n2001-db8--1 default real ${V6} ${V4}\n`);
    await folders.putPair("shop.test", shop.certificatePem, shop.keyPem);
    await folders.putPair("2001-db8--1", box.certificatePem, box.keyPem);
    expect(await nginx.deploy()).toContain("certificate 2001-db8--1: served from");
    for (const host of [V4, V6, undefined]) {
      const answer = await nginx.https("/", host === undefined ? {} : { host });
      expect([answer.status, answer.certificate?.fingerprint256]).toEqual([200, fingerprint(box)]);
    }
    expect(await presentedAt("127.0.0.1")).toContain(fingerprint(box));
    expect(await presentedAt("[::1]")).toContain(fingerprint(box));
    expect((await nginx.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(shop));
    expect(await nginx.log()).not.toMatch(/\[(warn|emerg|error)\]/);
  });

  test("a list that an older sidecar has left says the same", async () => {
    const blocks = () => nginx.exec("sh", "-c", "sed 1d /etc/nginx/certificates.d/certificates.conf");
    const before = await blocks();
    await folders.putList(`shop.test shop.test\n2001-db8--1 2001:db8::1 ${V4}\n`);
    await nginx.step();
    expect(await blocks()).toBe(before);
  });

  test("plain HTTP leads to the address as it stands in a URL, except for challenges", async () => {
    for (const host of [V4, V6]) {
      const redirect = await nginx.http("/a?b=c", { host });
      expect([redirect.status, redirect.headers.location]).toEqual([301, `https://${host}:8443/a?b=c`]);
      expect((await nginx.http(CHALLENGE, { host })).body).toBe("token.thumbprint");
    }
    expect((await nginx.http("/", { host: "203.0.113.8" })).status).toBe(200);
  });

  test("HSTS is for names: no browser takes it from an address", async () => {
    expect((await nginx.https("/", { host: V4 })).headers["strict-transport-security"]).toBeUndefined();
    expect((await nginx.https("/", { host: "shop.test" })).headers["strict-transport-security"]).toBe("max-age=300");
  });

  test("without it the first certificate is the default one again", async () => {
    await folders.putList("shop.test default real shop.test\n");
    await nginx.deploy();
    expect((await nginx.https("/")).certificate?.fingerprint256).toBe(fingerprint(shop));
  });
});
