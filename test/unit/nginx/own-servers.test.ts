import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const LIBRARY = fileURLToPath(new URL("../../../nginx/lib", import.meta.url));

/** What makes ours the default server of port 80 where an operator's file has this; empty: nothing. */
async function defaultOf80(conf: string): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "conf.d"));
  await writeFile(join(folder, "conf.d", "site.conf"), conf);
  const script = `. ${LIBRARY}/files.sh; . ${LIBRARY}/own-servers.sh; NGINX_FOLDER=${folder}; default_server_on 80`;
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout;
}

test.each([
  "server { listen 80 default_server; }",
  "server{listen *:80 reuseport default_server;}",
  "server {\r\n\tlisten\t0.0.0.0:80\r\n\tdefault;\r\n}",
  "server { listen [::]:80 default_server ipv6only=off; }",
  "server { listen 0.0.0.0 default_server; }",
  "server { listen [::] default_server; }",
])("ours isn't the default server beside %j", async (conf) => {
  expect(await defaultOf80(conf)).toBe("");
});

test.each([
  "",
  "server { listen 80; }",
  "# server { listen 80 default_server; }",
  "server { listen 8080 default_server; }",
  "server { listen 443 ssl default_server; }",
  "server { listen 192.0.2.1:80 default_server; }",
  "server { listen 192.0.2.1 default_server; }",
  "server { listen 80; server_name default; }",
])("ours is the default server beside %j", async (conf) => {
  expect(await defaultOf80(conf)).toBe(" default_server");
});
