import { chmod, chown, mkdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { giveToOwnerAbove } from "../../../src/lock/files.ts";
import { putHeartbeat, watchHeartbeat } from "../../../src/lock/heartbeat.ts";
import { putSocket } from "../../../src/lock/liveness-socket.ts";
import { systemClock } from "../../../src/system/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

// Whoever owns the tree can put a link, or something of another's, where we have just made something.
const isRoot = process.getuid?.() === 0;
const OTHER = 4321;

async function ownedTree(): Promise<{ tree: string; foreign: string }> {
  const [tree, foreign] = [await temporaryFolder(), await temporaryFolder()];
  await chown(tree, 1000, 1000);
  return { tree, foreign };
}

test.runIf(isRoot)("a folder of ours is given to the tree's owner", async () => {
  const { tree } = await ownedTree();
  await mkdir(join(tree, "sidecar"));
  await giveToOwnerAbove(join(tree, "sidecar"));
  expect(await stat(join(tree, "sidecar"))).toMatchObject({ uid: 1000, gid: 1000 });
});

test.runIf(isRoot)("what a link in the folder's place leads to keeps its owner", async () => {
  const { tree, foreign } = await ownedTree();
  await symlink(foreign, join(tree, "sidecar"));
  await giveToOwnerAbove(join(tree, "sidecar"));
  expect((await stat(foreign)).uid).toBe(0);
});

test.runIf(isRoot)("another's folder in the folder's place keeps its owner", async () => {
  const { tree, foreign } = await ownedTree();
  await mkdir(join(foreign, "others"));
  await chown(join(foreign, "others"), OTHER, OTHER);
  await rename(join(foreign, "others"), join(tree, "sidecar"));
  await giveToOwnerAbove(join(tree, "sidecar"));
  expect((await stat(join(tree, "sidecar"))).uid).toBe(OTHER);
});

test("what a link in the socket's place leads to keeps its mode, and the lock is not taken by it", async () => {
  const [folder, foreign] = [await temporaryFolder(), await temporaryFolder()];
  await writeFile(join(foreign, "file"), "");
  await chmod(join(foreign, "file"), 0o666);
  await symlink(join(foreign, "file"), join(folder, "control.0123456789ab.unborn"));
  const identify = () => ({ instance: "0123456789ab", state: "candidate", description: "test" }) as const;
  const announced = {
    folder,
    runFolder: folder,
    instance: "0123456789ab",
    beatEveryMs: 20,
    clock: systemClock,
    identify,
  };
  await expect(putSocket({ ...announced, onConnection: () => undefined })).rejects.toThrow("EADDRINUSE");
  expect((await stat(join(foreign, "file"))).mode & 0o777).toBe(0o666);
});

test("a beat is not written through a link in its place: the mark counts as lost", async () => {
  const [folder, runFolder, foreign] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
  const identify = () => ({ instance: "0123456789ab", description: "test", startedAt: "" }) as never;
  const options = { folder, runFolder, instance: "0123456789ab", beatEveryMs: 20, clock: systemClock, identify };
  const mark = await putHeartbeat({ ...options, onConnection: () => undefined });
  onTestFinished(() => mark.withdraw());
  await writeFile(join(foreign, "file"), "mine");
  await symlink(join(foreign, "file"), join(foreign, "link"));
  await rename(join(foreign, "link"), join(folder, mark.name));
  await vi.waitFor(async () => expect(await mark.isThere()).toBe(false), { timeout: 5000 });
  expect(await readFile(join(foreign, "file"), "utf8")).toBe("mine");
});

test("another's beat is not read through a link", async () => {
  const folder = await temporaryFolder();
  await symlink("/dev/null", join(folder, "control.0123456789ab.beat"));
  const watching = watchHeartbeat(
    { folder, beatEveryMs: 1, clock: systemClock },
    "control.0123456789ab.beat",
    new AbortController().signal,
  );
  await expect(watching).rejects.toThrow("ELOOP");
});
