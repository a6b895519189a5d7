import { chmod, chown, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { issueForTest } from "../support/issued-certificate.ts";
import { newVersion, putCertbotLineage } from "../support/lineage-tree.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openTestStore } from "../support/test-store.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const PROGRAM = "/project/test/support/store-program.ts";

type Seen = {
  readonly installed: number;
  readonly failure?: { readonly code: string; readonly message: string };
  readonly tree: readonly string[];
  readonly isShown: boolean;
  readonly recovered: readonly unknown[];
  readonly version?: number;
  readonly problem?: string;
};

async function installInContainer(count: number, ...options: readonly string[]): Promise<Seen> {
  const place = ["run", "--rm", "--network", "none", "-v", `${PROJECT}:/project:ro`, ...options];
  const output = await docker(...place, "--entrypoint", "node", IMAGES.node, PROGRAM, String(count));
  return JSON.parse(output) as Seen;
}

describe("a disk that gets full", () => {
  test("keeps the version before, whole, and nothing of the one that didn't fit", async () => {
    const seen = await installInContainer(20, "--tmpfs", "/etc/letsencrypt:size=96k");
    expect(seen.installed).toBeGreaterThan(0);
    expect(seen.failure?.code).toBe("STORE_DISK_FULL");
    expect(seen.failure?.message).toMatch(/ENOSPC.*\/etc\/letsencrypt\//);
    expect(seen).toMatchObject({ isShown: true, recovered: [], version: seen.installed });
    expect(seen.tree.filter((line) => line.includes(`${seen.installed + 1}`))).toEqual([]);
    expect(seen.tree.filter((line) => line.startsWith("archive/a.test/"))).toHaveLength(4 * seen.installed);
  });
});

describe("mounts as people have them", () => {
  test("let live be mounted a second time, where nothing can be renamed into it from outside", async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, "live"), { mode: 0o755 });
    const mounts = ["-v", `${root}:/etc/letsencrypt`, "-v", `${root}/live:/etc/letsencrypt/live`];
    const seen = await installInContainer(3, ...mounts);
    expect(seen).toMatchObject({ installed: 3, isShown: true, version: 3 });
    expect(seen.failure).toBeUndefined();
  });

  test("let certbot's own folder be converted where live is mounted a second time", async () => {
    const root = await temporaryFolder();
    await putCertbotLineage(root, "a.test", issueForTest({ names: ["a.test"] }));
    const mounts = ["-v", `${root}:/etc/letsencrypt`, "-v", `${root}/live:/etc/letsencrypt/live`];
    expect(await installInContainer(1, ...mounts)).toMatchObject({ installed: 1, isShown: true, version: 2 });
  });

  test("that are read-only are named, and what is on them is shown and listed", async () => {
    const { root, store } = await openTestStore();
    await store.install(newVersion("a.test"), new Date());
    const seen = await installInContainer(1, "-v", `${root}:/etc/letsencrypt:ro`);
    expect(seen.failure).toMatchObject({ code: "STORE_NOT_WRITABLE" });
    expect(seen.failure?.message).toContain("EROFS");
    expect(seen).toMatchObject({ installed: 0, isShown: true, recovered: [], version: 1 });
  });

  test("of a tree of uid 1000 work with the few rights the compose file gives, and stay that user's", async () => {
    const root = await temporaryFolder();
    await chown(root, 1000, 1000);
    const rights = [
      "--cap-drop",
      "ALL",
      ...["DAC_OVERRIDE", "CHOWN", "FOWNER"].flatMap((right) => ["--cap-add", right]),
    ];
    const seen = await installInContainer(2, ...rights, "-v", `${root}:/etc/letsencrypt`);
    expect(seen).toMatchObject({ installed: 2, isShown: true, version: 2 });
    const { uid, mode } = await stat(join(root, "archive", "a.test", "privkey2.pem"));
    expect([uid, mode & 0o777]).toEqual([1000, 0o600]);
  });

  test("that another user owns are refused with the path when we have no rights", async () => {
    const root = await temporaryFolder();
    await chmod(root, 0o755);
    const seen = await installInContainer(1, "--user", "1000", "--cap-drop", "ALL", "-v", `${root}:/etc/letsencrypt`);
    expect(seen.failure?.code).toBe("STORE_NOT_WRITABLE");
    expect(seen.failure?.message).toContain("/etc/letsencrypt/archive");
  });
});
