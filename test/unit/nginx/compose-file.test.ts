import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** The names that nginx's side reads of what an operator sets. */
async function usedInNginx(): Promise<string[]> {
  const paths = (await readdir(join(ROOT, "nginx"), { recursive: true })).filter((path) => /\.(sh|awk)$/.test(path));
  const texts = await Promise.all(paths.map((path) => readFile(join(ROOT, "nginx", path), "utf8")));
  return sorted(
    texts.flatMap((text) => [...text.matchAll(/^ +setting (\w+)|\$\{(CERTBOT_\w+)/gm)].map(([, a, b]) => a ?? b ?? "")),
  );
}

test("nginx's container, which faces the internet, is handed each setting that nginx/ uses, and none of the sidecar's secrets", async () => {
  const compose = await readFile(join(ROOT, "docker-compose.yml"), "utf8");
  const [, nginx = ""] = /\n {2}nginx:\n([^]*?)\n {2}certbot:\n/.exec(compose) ?? [];
  expect(nginx).not.toContain("env_file");
  const handed = [...nginx.matchAll(/^ {6}([A-Z_]+): \$\{(\w+)-\}$/gm)];
  expect(handed.map(([, , value]) => value)).toEqual(handed.map(([, name]) => name));
  expect(sorted(handed.map(([, name = ""]) => name))).toEqual(await usedInNginx());
});
