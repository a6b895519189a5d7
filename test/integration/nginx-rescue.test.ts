import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { appendFile, cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { type NginxContainer, type NginxOptions, NginxStage } from "../support/nginx-container.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import type { TestCertificate } from "../support/test-ca.ts";

const run = promisify(execFile);
// By the step that finds it mended: ours, or the one that nginx's container runs by itself.
const INCLUDED_AGAIN = "all files of /etc/nginx/conf.d are included again";
const NGINX_FOLDER = new URL("../../nginx", import.meta.url).pathname;

const stage = new NginxStage();
let pair: TestCertificate;
let handMade: TestCertificate;

beforeAll(async () => {
  [pair, handMade] = await Promise.all([makeTestCertificate(["DNS:shop.test"]), makeTestCertificate(["DNS:own.test"])]);
});

async function start(env: Record<string, string>, more: NginxOptions = {}): Promise<NginxContainer> {
  return await stage.start({ ...more, env });
}

/** A pair that belongs together, with a key too short for nginx's TLS library. */
async function putWeakPair(lineage: string): Promise<void> {
  await stage.folders.putPair(lineage, "", "");
  const live = join(stage.folders.letsencrypt, "live", lineage);
  const files = ["-keyout", join(live, "privkey.pem"), "-out", join(live, "fullchain.pem")];
  await run("openssl", ["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-days", "30", ...files]);
}

/** A copy of our folder, for an operator's slips. */
async function copyOfOurs(): Promise<string> {
  const copy = join(stage.folders.confD, "nginx");
  await cp(NGINX_FOLDER, copy, { recursive: true });
  return copy;
}

/** Starts nginx from a copy of our folder with `line` added to one template, as an operator's slip would. */
async function startWithTemplateLine(template: string, line: string, docker: readonly string[] = []) {
  const nginxFolder = await copyOfOurs();
  await appendFile(join(nginxFolder, "templates", template), line);
  return await start({ CERTBOT_DOMAIN: "shop.test" }, { nginxFolder, docker });
}

function fingerprint({ certificatePem }: TestCertificate): string {
  return new X509Certificate(certificatePem).fingerprint256;
}

describe("what nginx itself refuses", () => {
  test("a pair is replaced by a placeholder at start, named, and taken when it has been repaired", async () => {
    await putWeakPair("weak.test");
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    const server = await start({ CERTBOT_DOMAIN: "weak.test; shop.test" });
    expect((await server.https("/", { host: "weak.test" })).certificate?.subject).toContain("PLACEHOLDER");
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
    expect(await server.log()).toMatch(/weak\.test: placeholder.*nginx refuses .*key too small/s);
    expect(await server.deploy()).toBe("");
    await stage.folders.putPair("weak.test", handMade.certificatePem, handMade.keyPem);
    expect(await server.deploy()).toContain("certificate weak.test: served from");
  });

  test("of hundreds the two bad pairs alone are stood in for, found by few tests, and not searched for again", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `n${index}.test`);
    for (const name of names)
      await stage.folders.putPair(
        name,
        pair.certificatePem,
        ["n137.test", "n188.test"].includes(name) ? handMade.keyPem : pair.keyPem,
      );
    await stage.folders.putList(names.map((name) => `${name} - real ${name}\n`).join(""));
    const count = `printf '#!/bin/sh\\necho "$*" >>/tmp/asked\\nexec /usr/sbin/nginx "$@"\\n' >/usr/local/bin/nginx; chmod +x /usr/local/bin/nginx`;
    const entrypoint = "exec sh /opt/cert-sidecar/nginx/entrypoint.sh";
    const server = await start({}, { command: ["-c", `${count}; ${entrypoint}`] });
    const tests = async () => Number(await server.exec("sh", "-c", "grep -c -e -t /tmp/asked"));
    const atStart = await tests();
    expect(atStart).toBeLessThanOrEqual(25);
    expect((await server.noted("problems")).split("\n").map((line) => line.split(" ")[0])).toEqual([
      "n137.test",
      "n188.test",
    ]);
    for (const name of ["n0.test", "n136.test", "n138.test", "n199.test"])
      expect((await server.https("/", { host: name })).certificate?.fingerprint256).toBe(fingerprint(pair));
    expect((await server.https("/", { host: "n137.test" })).certificate?.subject).toContain("PLACEHOLDER");
    await stage.folders.putPair("n7.test", handMade.certificatePem, handMade.keyPem);
    await server.step();
    // Whether they are still refused, and that all others are taken.
    expect((await tests()) - atStart).toBe(2);
  });

  test("nothing stands in for a certificate on trial, so that nginx's own test refuses it; what else is bad doesn't matter", async () => {
    for (const name of ["shop.test", "own.test", "bad.test"])
      await stage.folders.putPair(name, pair.certificatePem, pair.keyPem);
    await stage.folders.putList(
      "shop.test default real shop.test\nown.test - real own.test\nbad.test - real bad.test\n",
    );
    const server = await start({});
    await putWeakPair("shop.test");
    await stage.folders.putPair("own.test", handMade.certificatePem, handMade.keyPem);
    await stage.folders.putPair("bad.test", handMade.certificatePem, pair.keyPem);
    const refused = () => server.exec("nginx", "-t", "-q").then(String, String);
    await server.step("shop.test", "own.test");
    expect(await refused()).toContain("key too small");
    expect(await refused()).not.toContain("bad.test");
    await server.step();
    expect(await refused()).toBe("");
    await server.step("shop.test");
    expect(await refused()).toContain("key too small");
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    await server.step("shop.test");
    expect(await refused()).toBe("");
  });

  test("a hand-made pair is left out, named, and costs no certificate", async () => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    await writeFile(join(stage.folders.ssl, "dify.crt"), handMade.certificatePem);
    await writeFile(join(stage.folders.ssl, "dify.key"), pair.keyPem);
    const server = await start({ CERTBOT_DOMAIN: "new.test; shop.test", NGINX_SERVER_NAME: "old.test" });
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
    expect((await server.https("/", { host: "new.test" })).certificate?.subject).toContain("PLACEHOLDER");
    expect(await server.log()).toMatch(/other names: placeholder, .* nginx refuses it: .*key values mismatch/);
    expect(await server.noted("https")).toBe("on");
  });

  test("a file of the operator's beside a bad pair costs neither the hand-made pair nor a good one", async () => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    await stage.folders.putPair("bad.test", pair.certificatePem, handMade.keyPem);
    await writeFile(join(stage.folders.ssl, "dify.crt"), handMade.certificatePem);
    await writeFile(join(stage.folders.ssl, "dify.key"), handMade.keyPem);
    await writeFile(join(stage.folders.confD, "broken.conf"), "slip;\n");
    const env = { CERTBOT_DOMAIN: "bad.test; shop.test", NGINX_SERVER_NAME: "old.test" };
    const server = await start(env, { docker: ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`] });
    const served = async (host: string) => (await server.https("/", { host })).certificate?.fingerprint256;
    expect(await served("shop.test")).toBe(fingerprint(pair));
    for (const host of ["old.test", "bad.test"]) expect(await served(host)).toBe(fingerprint(handMade));
    expect(await server.log()).toContain("/etc/nginx/conf.d/broken.conf is left out until nginx accepts it");
  });

  test("a setting gets its default, is named, and costs neither HTTPS nor another setting", async () => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    const server = await start({
      CERTBOT_DOMAIN: "shop.test",
      NGINX_SERVER_NAME: "shop..example.org",
      NGINX_CLIENT_MAX_BODY_SIZE: "9M",
      NGINX_KEEPALIVE_TIMEOUT: "7s",
    });
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
    const configuration = await server.exec("nginx", "-T");
    expect(configuration).toContain("client_max_body_size 9M;");
    expect(configuration).toContain("keepalive_timeout 7s;");
    const log = await server.log();
    expect(log).toMatch(
      /NGINX_SERVER_NAME="shop\.\.example\.org" is not usable: .*invalid server name.* Using the default/,
    );
    expect(log).not.toMatch(/NGINX_KEEPALIVE_TIMEOUT|NGINX_CLIENT_MAX_BODY_SIZE|HTTPS is off/);
    expect(await server.noted("https")).toBe("on");
    await stage.folders.putPair("shop.test", handMade.certificatePem, handMade.keyPem);
    await server.deploy();
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(handMade));
  });

  test("an operator's file that waits for its certificate is left out, named, and included when the certificate is there", async () => {
    const file =
      "server { listen 443 ssl; server_name own.test; ssl_certificate /etc/letsencrypt/live/own.test/fullchain.pem; ";
    const rest = "ssl_certificate_key /etc/letsencrypt/live/own.test/privkey.pem; location / { return 200 own; } }\n";
    await writeFile(join(stage.folders.confD, "own.conf"), file + rest);
    await writeFile(
      join(stage.folders.confD, "other.conf"),
      "server { listen 80; server_name other.test; return 200 other; }\n",
    );
    const mount = ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`];
    const server = await start({ CERTBOT_DOMAIN: "shop.test" }, { docker: mount });
    expect((await server.http("/", { host: "other.test" })).body).toBe("other");
    expect(await server.log()).toContain("/etc/nginx/conf.d/own.conf is left out until nginx accepts it");
    await stage.folders.putPair("own.test", handMade.certificatePem, handMade.keyPem);
    expect((await server.deploy()) + (await server.log())).toContain(INCLUDED_AGAIN);
    expect((await server.https("/", { host: "own.test" })).body).toBe("own");
  });

  test.each(["", "nginx:watch"])(
    "a file that waits for the name of an app is included when that is known, with no word of anybody's (CERTBOT_DEPLOY=%j)",
    async (CERTBOT_DEPLOY) => {
      const waiting = "server { listen 80; server_name own.test; location / { proxy_pass http://late-app:8099; } }\n";
      const app = "server { listen 8099; location / { return 200 late; } }\n";
      await writeFile(join(stage.folders.confD, "own.conf"), waiting);
      await writeFile(join(stage.folders.confD, "app.conf"), app);
      await writeFile(join(stage.folders.confD, "slip.conf"), "slip;\n");
      const mount = ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`];
      const server = await start({ CERTBOT_DEPLOY }, { docker: mount });
      const answer = async () => (await server.http("/", { host: "own.test" })).body;
      expect(await answer()).toContain("NGINX_UPSTREAM");
      expect(await server.log()).toContain(
        'own.conf is left out until nginx accepts it: host not found in upstream "late-app"',
      );
      await server.exec("sh", "-c", "echo 127.0.0.1 late-app >>/etc/hosts");
      await poll("the file is included", async () => (await answer()) === "late", 60_000);
    },
  );

  test("of an operator's files the broken one alone is left out, whatever the others are called", async () => {
    const server = (name: string) => `server { listen 80; server_name ${name}; return 200 ${name}; }\n`;
    const files = ["a", "my shop", `it's "mine"`, "a[1]", "all*", "what?", "back\\slash", "[\\]", "n|o", "$host", "ü"];
    const names = files.map((_, index) => `n${index}.test`);
    for (const [index, file] of files.entries())
      await writeFile(join(stage.folders.confD, `${file}.conf`), server(`n${index}.test`));
    for (const slip of ["b", "c|d"]) await writeFile(join(stage.folders.confD, `${slip}.conf`), "slip;\n");
    const mount = ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`];
    const nginx = await start({}, { docker: mount });
    const answers = async () => Promise.all(names.map(async (host) => (await nginx.http("/", { host })).body));
    expect(await answers()).toEqual(names);
    expect(await nginx.log()).toMatch(/conf\.d\/b\.conf is left out until nginx accepts it: unknown directive "slip"/);
    // One more, broken while nginx runs, is nginx's to refuse; the one of before stays out.
    await writeFile(join(stage.folders.confD, "d.conf"), "slap;\n");
    await expect(nginx.deploy()).rejects.toThrow(/unknown directive "slap"/);
    await writeFile(join(stage.folders.confD, "d.conf"), "");
    expect(await nginx.deploy()).toBe("");
    expect(await answers()).toEqual(names);
    for (const slip of ["b", "c|d"]) await writeFile(join(stage.folders.confD, `${slip}.conf`), "");
    expect((await nginx.deploy()) + (await nginx.log())).toContain(INCLUDED_AGAIN);
  });

  test("the image's own welcome page does not take localhost from the app", async () => {
    const page = "server { listen 80; server_name localhost; location / { root /usr/share/nginx/html; } }";
    const before = `printf '%s\\n' '${page}' >/etc/nginx/conf.d/default.conf; exec sh /opt/cert-sidecar/nginx/entrypoint.sh`;
    const server = await start({}, { command: ["-c", before] });
    expect((await server.http("/", { host: "localhost" })).body).toContain("NGINX_UPSTREAM");
  });

  test("an nginx.conf of the operator's own is left as it is", async () => {
    const own = join(stage.folders.confD, "nginx.conf");
    await writeFile(own, "events { } http { server { listen 80; return 200 mine; } }\n");
    const server = await start({}, { docker: ["-v", `${own}:/etc/nginx/nginx.conf:ro`] });
    expect((await server.http("/")).body).toBe("mine");
    expect(await server.log()).toContain("nginx.conf is your own and used as it is");
  });

  test("HTTPS is given up before port 80 is, when a template has a slip in it", async () => {
    await stage.folders.putChallenge("token", "token.thumbprint");
    const server = await startWithTemplateLine("https-server.conf.template", "slip;\n");
    await expect(server.https("/")).rejects.toThrow("ECONNREFUSED");
    expect((await server.http("/", { host: "shop.test" })).body).toContain("NGINX_UPSTREAM");
    expect((await server.http("/.well-known/acme-challenge/token")).body).toBe("token.thumbprint");
    expect(await server.log()).toMatch(/HTTPS is off until .*unknown directive "slip"/);
    expect(await server.noted("https")).toBe("off-by-rescue");
  });

  test("HTTPS that was given up comes back with the step that finds the slip mended", async () => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    const server = await startWithTemplateLine("https-server.conf.template", "slip;\n");
    expect(await server.deploy()).toBe("");
    expect(await server.noted("https")).toBe("off-by-rescue");
    const template = "templates/https-server.conf.template";
    await cp(join(NGINX_FOLDER, template), join(stage.folders.confD, "nginx", template));
    await server.deploy();
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
    expect(await server.noted("https")).toBe("on");
  });

  test("a slip made while nginx runs is nginx's to refuse: HTTPS is not given up, and goes on", async () => {
    await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
    const nginxFolder = await copyOfOurs();
    const server = await start({ CERTBOT_DOMAIN: "shop.test" }, { nginxFolder });
    await appendFile(join(nginxFolder, "templates/https-server.conf.template"), "slip;\n");
    await expect(server.deploy()).rejects.toThrow('unknown directive "slip"');
    expect((await server.https("/", { host: "shop.test" })).certificate?.fingerprint256).toBe(fingerprint(pair));
    expect(await server.noted("https")).toBe("on");
  });

  test("at the very least the challenges are answered, over IPv6 too", async () => {
    await stage.folders.putChallenge("token", "token.thumbprint");
    const ipv6 = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.lo.disable_ipv6=0"];
    const server = await startWithTemplateLine("nginx.conf.template", "slip;\n", ipv6);
    const overIpv6 = "curl -s http://[::1]/.well-known/acme-challenge/token";
    expect(await server.exec("sh", "-c", overIpv6)).toBe("token.thumbprint");
    expect(await server.deploy()).toBe("");
    expect(await server.noted("https")).toBe("off-by-rescue");
    expect((await server.http("/.well-known/acme-challenge/token")).body).toBe("token.thumbprint");
    expect((await server.http("/")).status).toBe(503);
    expect(await server.log()).toMatch(/only the challenges are answered .*unknown directive "slip"/);
  });
});

test("where the configuration can't be written the container says so and fails", async () => {
  const mount = ["-v", `${NGINX_FOLDER}:/opt/cert-sidecar/nginx:ro`, "--entrypoint", "/bin/sh"];
  const image = [IMAGES.nginx, "/opt/cert-sidecar/nginx/entrypoint.sh"];
  const ended = run("docker", ["run", "--rm", "--read-only", ...mount, ...image]);
  await expect(ended).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("cannot make folders in /etc/nginx; leave it inside the container and writable."),
  });
});

test("a step that can't write its blocks fails with the reason, and nginx keeps its configuration", async () => {
  await stage.folders.putPair("shop.test", pair.certificatePem, pair.keyPem);
  const server = await start({ CERTBOT_DOMAIN: "shop.test" });
  await stage.folders.putList("other.test other.test\n");
  const step = ["/bin/sh", "/opt/cert-sidecar/nginx/certificate-step.sh"];
  await expect(docker("exec", "-u", "65534", server.name, ...step)).rejects.toThrow(/cannot (write|make)/);
  expect(await server.exec("ls", "/etc/nginx/certificates.d")).toBe("certificates.conf");
  expect(await server.exec("cat", "/etc/nginx/certificates.d/certificates.conf")).not.toContain("other.test");
});
