import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Makes an empty folder that is removed, with all in it, when the running test ends. */
export async function temporaryFolder(parent = tmpdir()): Promise<string> {
  const path = await mkdtemp(join(parent, "cert-sidecar-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** As {@link temporaryFolder}, in memory where this machine has such a place: for tests that make trees by the hundred. */
export function folderInMemory(): Promise<string> {
  return temporaryFolder(existsSync("/dev/shm") ? "/dev/shm" : undefined);
}
