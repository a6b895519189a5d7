import { createQueues } from "../certificate/index.ts";
import { DurableFiles, REAL_FILES, type TreeOptions } from "./durable-files.ts";
import { translated } from "./errors.ts";
import { SIDECAR_MODE, treePaths } from "./tree-paths.ts";

/**
 * Makes what writes `sidecar/reload` anew: a change of that file asks whoever watches it on the host, as a systemd path unit, to
 * make a server take over what is on disk. What is in it is for people. Throws StoreError.
 */
export function createReloadRequest({ root, fs = REAL_FILES }: TreeOptions): (now: Date) => Promise<void> {
  const { sidecar, reloadRequest } = treePaths(root);
  const files = new DurableFiles(root, fs);
  // Several targets ask side by side, and a file is replaced by one at a time.
  const oneAtATime = createQueues();
  return (now) =>
    oneAtATime("", () =>
      translated("ask for a reload", reloadRequest, async () => {
        await files.ensureFolder(sidecar, SIDECAR_MODE);
        await files.replace(reloadRequest, `${now.toISOString()}\n`, { mode: 0o644 });
      }),
    );
}
