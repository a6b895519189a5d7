import { readFile } from "node:fs/promises";
import type { Stack } from "./stack.ts";

/** The sidecar's node process as the host numbers it. Throws while the container isn't running. */
export async function nodePid(stack: Stack): Promise<number> {
  // The container's first process is Docker's init, and node its only child. `docker kill` would count as a manual stop.
  const initPid = await stack.inspect("certbot", "{{.State.Pid}}");
  const children = await readFile(`/proc/${initPid}/task/${initPid}/children`, "utf8");
  for (const pid of children.trim().split(" ")) {
    if ((await readFile(`/proc/${pid}/cmdline`, "utf8")).includes("/opt/cert-sidecar/main.js")) return Number(pid);
  }
  throw new Error(`the sidecar's node process is not among the children of ${initPid}: ${children}`);
}
