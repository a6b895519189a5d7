import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { diskLeaf, leafAt } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const IMAGE = "cert-sidecar-test/host";
const EXAMPLE = new URL("../../docs/examples/host-nginx/", import.meta.url).pathname;
const UNITS = "/etc/systemd/system/";
const REQUEST = "/srv/shop/volumes/certbot/conf/sidecar/reload";

// What lets systemd be process 1 of a container.
const AS_A_MACHINE =
  `--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cgroupns host
  -v /sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs /run --tmpfs /run/lock --tmpfs /tmp -e container=docker`.split(/\s+/);

let stack: Stack;
let host: string;

/** Runs a command on the host; gives the standard output. */
const onHost = (...command: readonly string[]) => docker("exec", host, ...command);
const put = async (file: string, folder: string, edit = (text: string) => text) => {
  const local = join(stack.folder, file);
  await writeFile(local, edit(await readFile(join(EXAMPLE, file), "utf8")));
  await docker("cp", local, `${host}:${folder}${file}`);
};
const toDemo = (text: string) => text.replaceAll("shop.example.org", "demo.test");
const leaf = async () => leafAt(Number((await docker("port", host, "443")).split(":").at(-1)));
const isDiskServed = async () => (await leaf()).fingerprint256 === (await diskLeaf(stack)).fingerprint256;
const reloads = async () => {
  const told = await onHost("journalctl", "-u", "cert-sidecar-reload.service", "-o", "cat", "--no-pager");
  return told.match(/^Finished/gm)?.length ?? 0;
};
const state = (unit: string) => onHost("systemctl", "show", "-P", "ActiveState", unit);

describe.runIf(process.env["CERT_SIDECAR_FULL"])("the compose example with an nginx on the host", () => {
  tellOnFailure(() => stack);
  beforeAll(async () => {
    await buildImage();
    stack = await createStack({ env: { CERTBOT_SCHEDULE: "0 0 1 1 *" }, example: "host-nginx" });
    host = `${stack.project}-host`;
    await stack.layOver("services: { pebble: { links: !reset [] } }");
    await stack.up("pebble");
    // The machine that the CA finds, and that the sidecar knows by the gateway's name; its certbot folder is the project's.
    const network = ["--network", `${stack.project}_default`, "--network-alias", "demo.test"];
    const folder = ["-v", `${stack.folder}/volumes/certbot:/srv/shop/volumes/certbot`];
    const place = [...network, ...folder, "-p", "127.0.0.1::443"];
    await docker("run", "-d", "--name", host, ...AS_A_MACHINE, ...place, IMAGE);
    const address = await docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", host);
    await stack.layOver(`
services:
  pebble: { links: !reset [] }
  certbot: { extra_hosts: !override ["host-gateway:${address}", "host-gateway:2001:db8::1"] }`);
    await until("systemd has started all", async () => ((await state("nginx")) === "active" ? true : undefined));
    for (const unit of ["path", "service"]) await put(`cert-sidecar-reload.${unit}`, UNITS);
    await put("challenge.conf", "/etc/nginx/conf.d/", toDemo);
    await onHost("systemctl", "daemon-reload");
    await onHost("systemctl", "enable", "--now", "cert-sidecar-reload.path");
    await onHost("systemctl", "reload", "nginx");
    await stack.up();
  });
  afterAll(async () => {
    if (host) await docker("rm", "-f", host);
    await stack?.remove();
  });

  test("has units that systemd finds nothing wrong with, and no nginx in Docker", async () => {
    expect(await onHost("systemd-analyze", "verify", `${UNITS}cert-sidecar-reload.path`)).toBe("");
    expect(await stack.composeOk("ps", "-a", "--services")).not.toContain("nginx");
    expect(await stack.inspect("certbot", "{{range .Mounts}}{{.Source}} {{end}}")).not.toContain("docker.sock");
  });

  test("proves the name by the host's port 80, and says that nothing is served until the host serves it", async () => {
    await until("the first certificate is on disk", () => diskLeaf(stack).catch(() => undefined));
    const before = await stack.certbot("update-cert");
    expect(before.stderr).toMatch(/nothing listens on .*:443 in host-gateway:443/);
    expect(before.stderr).toContain("what to do: Run systemctl status nginx there");
    expect(before.code).toBe(1);
    expect((await stack.certbot("healthcheck")).code).toBe(1);
    await put("https.conf", "/etc/nginx/conf.d/", toDemo);
    await onHost("systemctl", "reload", "nginx");
    const after = await stack.certbot("update-cert");
    expect(after.stdout).toContain("demo.test: host-gateway:443 serves it");
    expect(after.code).toBe(0);
    expect((await stack.certbot("status")).code).toBe(0);
    expect((await stack.certbot("healthcheck")).code).toBe(0);
  });

  test("a renewal makes the unit reload nginx once, and is done when that serves it", async () => {
    const before = await reloads();
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stdout).toContain("demo.test: host-gateway:443 serves it");
    expect(renewal.code).toBe(0);
    expect(await isDiskServed()).toBe(true);
    expect(await reloads()).toBe(before + 1);
  });

  test("requests in quick succession end neither unit, and one that nobody heard is made again", async () => {
    for (let count = 0; count < 8; count += 1) {
      const before = await reloads();
      await onHost("sh", "-c", `date >${REQUEST}.new; mv ${REQUEST}.new ${REQUEST}`);
      await until("the unit has run", async () => ((await reloads()) > before ? true : undefined));
    }
    expect(await state("cert-sidecar-reload.path")).toBe("active");
    await onHost("systemctl", "stop", "cert-sidecar-reload.path");
    expect((await stack.certbot("update-cert", "--force-renewal")).code).toBe(1);
    await onHost("systemctl", "start", "cert-sidecar-reload.path");
    const again = await stack.certbot("update-cert");
    expect(again.stdout).toContain("demo.test: host-gateway:443 serves it");
    expect(again.code).toBe(0);
    expect(await isDiskServed()).toBe(true);
  });

  test("what the host's nginx refuses is told with where to read it, and served once that is mended", async () => {
    await onHost("sh", "-c", "echo 'no-such-word;' >/etc/nginx/conf.d/own.conf");
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stderr).toMatch(/host-gateway:443 presents another certificate .* and has not taken over/);
    expect(renewal.stderr).toContain("journalctl -u cert-sidecar-reload.service");
    expect(renewal.code).toBe(1);
    expect((await stack.certbot("status")).stdout).toContain("has not taken over what is on disk");
    const told = await onHost("journalctl", "-u", "cert-sidecar-reload.service", "--no-pager");
    expect(told).toMatch(/no-such-word.*own\.conf/);
    await onHost("rm", "/etc/nginx/conf.d/own.conf");
    // Nobody reloads nginx but the unit, which is asked again.
    const again = await stack.certbot("update-cert");
    expect(again.stdout).toContain("demo.test: host-gateway:443 serves it");
    expect(again.code).toBe(0);
    expect(await isDiskServed()).toBe(true);
  });

  test("a name that the container doesn't know is told with the line that makes it known", async () => {
    await stack.layOver("services: { pebble: { links: !reset [] }, certbot: { extra_hosts: !reset [] } }");
    await stack.composeOk("up", "-d", "--no-build", "certbot");
    await until("the daemon is up", async () => ((await stack.certbot("status")).stdout ? true : undefined));
    const update = await stack.certbot("update-cert");
    expect(update.stderr).toContain("[TARGET_NAME_UNKNOWN]");
    expect(update.stderr).toContain('extra_hosts: ["host-gateway:host-gateway"]');
    expect(update.code).toBe(1);
    await stack.layOver("services: { pebble: { links: !reset [] } }");
    await stack.composeOk("up", "-d", "--no-build", "certbot");
    expect(await stack.composeOk("exec", "-T", "certbot", "getent", "hosts", "host-gateway")).toMatch(/^[\d.]+ /);
  });
});

// Debian's own systemd, and nginx as its package sets it up. The base is the one image of Debian 12 that tests have: newer ones don't
// run where the machine still has control groups of version 1.
async function buildImage(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "host-"));
  try {
    await writeFile(
      join(folder, "Dockerfile"),
      `FROM ${IMAGES.haproxy}
USER root
RUN apt-get update -q && apt-get install -q -y --no-install-recommends systemd nginx-light && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
`,
    );
    await docker("build", "-q", "-t", IMAGE, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
