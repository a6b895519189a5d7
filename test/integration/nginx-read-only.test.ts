import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { HostFolders, NginxContainer } from "../support/nginx-container.ts";
import { makeTestCertificate } from "../support/test-ca.ts";

const README = new URL("../../README.md", import.meta.url);

test("with a read-only root and the README's tmpfs nginx starts, restarts and takes a certificate over, and its workers can't write its configuration", async () => {
  const [, line = ""] = /`read_only: true` with `tmpfs: \[(.*?)\]`/.exec(await readFile(README, "utf8")) ?? [];
  const tmpfs = line.split(", ").flatMap((path) => ["--tmpfs", path]);
  expect(tmpfs).not.toEqual([]);
  const folders = await HostFolders.create();
  onTestFinished(() => folders.remove());
  await writeFile(join(folders.webroot, "page.html"), "hello");
  const server = "server { listen 80; server_name static.test; root /var/www/html; }";
  await writeFile(join(folders.confD, "static.conf"), server);
  const docker = ["--read-only", ...tmpfs, "-v", `${folders.confD}:/etc/nginx/conf.d:ro`];
  const nginx = await NginxContainer.start(folders, { env: { CERTBOT_DOMAIN: "shop.test" }, docker });
  onTestFinished(() => nginx.remove());

  expect((await nginx.https("/", { host: "shop.test" })).certificate?.subject).toContain("PLACEHOLDER");
  expect((await nginx.http("/page.html", { host: "static.test" })).headers["content-type"]).toBe("text/html");
  const { certificatePem, keyPem } = await makeTestCertificate(["DNS:shop.test"]);
  await folders.putPair("shop.test", certificatePem, keyPem);
  await nginx.deploy();
  expect((await nginx.https("/", { host: "shop.test" })).certificate?.subject).not.toContain("PLACEHOLDER");
  expect(await nginx.exec("stat", "-c", "%a", "/etc/nginx")).toBe("755");
  await nginx.restart();
  expect((await nginx.https("/", { host: "shop.test" })).certificate?.subject).not.toContain("PLACEHOLDER");
});
