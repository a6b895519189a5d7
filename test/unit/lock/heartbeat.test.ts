import { readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { putHeartbeat } from "../../../src/lock/heartbeat.ts";
import { systemClock } from "../../../src/system/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PATIENCE = { timeout: 10_000 };

test("a heartbeat goes on after beats that were missed, and never brings back a mark that somebody removed", async () => {
  const folder = await temporaryFolder();
  let beats = 0;
  const identify = () => {
    beats += 1;
    return { instance: "0123456789ab", state: "holder", description: "this test" } as const;
  };
  const options = { folder, runFolder: join(folder, "run"), beatEveryMs: 2, clock: systemClock, identify };
  const mark = await putHeartbeat({ ...options, instance: "0123456789ab", onConnection: () => undefined });
  onTestFinished(() => mark.withdraw());
  const path = join(folder, mark.name);
  await rename(path, `${path}.away`);
  const before = beats;
  await vi.waitFor(() => expect(beats).toBeGreaterThan(before + 3), PATIENCE);
  await expect(readFile(path)).rejects.toThrow("ENOENT");
  expect(await mark.isThere()).toBe(false);
  await rename(`${path}.away`, path);
  const last = await readFile(path, "utf8");
  await vi.waitFor(async () => expect(await readFile(path, "utf8")).not.toBe(last), PATIENCE);
});

test("a heartbeat that has less to say is no shorter: who reads it between two writes finds no end of an older one", async () => {
  const folder = await temporaryFolder();
  let state: "candidate" | "holder" = "candidate";
  const identify = () => ({ instance: "0123456789ab", state, description: "this test" });
  const options = { folder, runFolder: join(folder, "run"), beatEveryMs: 2, clock: systemClock, identify };
  const mark = await putHeartbeat({ ...options, instance: "0123456789ab", onConnection: () => undefined });
  onTestFinished(() => mark.withdraw());
  const path = join(folder, mark.name);
  const { size } = await stat(path);
  state = "holder";
  await vi.waitFor(async () => expect(await readFile(path, "utf8")).toContain('"holder"'), PATIENCE);
  expect((await stat(path)).size).toBe(size);
});
