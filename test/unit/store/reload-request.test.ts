import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createReloadRequest } from "../../../src/store/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const AT = new Date("2026-03-01T04:12:09Z");

test("a reload is asked for by a file that is written anew, by several at once too", async () => {
  const root = await temporaryFolder();
  const ask = createReloadRequest({ root });
  await ask(AT);
  const path = join(root, "sidecar/reload");
  const before = await stat(path);
  expect(await readFile(path, "utf8")).toBe("2026-03-01T04:12:09.000Z\n");
  await Promise.all([ask(AT), ask(AT), ask(new Date("2026-03-02T00:00:00Z"))]);
  expect((await stat(path)).ino).not.toBe(before.ino);
  expect(await readFile(path, "utf8")).toBe("2026-03-02T00:00:00.000Z\n");
  expect((await stat(path)).mode & 0o777).toBe(0o644);
});

test("what can't be written is told, and the next request is tried", async () => {
  const root = join(await temporaryFolder(), "none");
  const ask = createReloadRequest({ root });
  await expect(ask(AT)).rejects.toMatchObject({
    code: "STORE_FAILED",
    message: expect.stringContaining("could not ask for a reload"),
  });
  await mkdir(root);
  await ask(AT);
  expect(await readFile(join(root, "sidecar/reload"), "utf8")).toContain("2026-03-01");
});
