import { chmod, chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HandMadeProject } from "./compose-nginx.ts";
import { docker } from "./docker-command.ts";
import { askRuntime } from "./haproxy-contract.ts";
import { poll } from "./poll.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A real HAProxy that runs with no certificate yet. */
export type HaproxyContainer = { readonly id: string; readonly socket: string };

// The user of the official images.
const HAPROXY_UID = 99;

/** Starts it in a project, with a folder that both see by one path, and returns when it answers; the project's end is its own. */
export async function startHaproxy(project: HandMadeProject, image: string): Promise<HaproxyContainer> {
  const folder = await temporaryFolder();
  const socket = join(folder, "haproxy.sock");
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(folder, HAPROXY_UID, HAPROXY_UID);
  else await chmod(folder, 0o755);
  await writeFile(join(folder, "haproxy.cfg"), haproxyConf(socket));
  const id = await project.start({
    image,
    service: "haproxy",
    labels: { "cert-sidecar.deploy": `haproxy:${socket}` },
    argv: [
      "sh",
      "-c",
      `[ -e ${folder}/crt-list.txt ] || echo "# none yet" > ${folder}/crt-list.txt; exec haproxy -W -db -f ${folder}/haproxy.cfg`,
    ],
    more: ["--volume", `${folder}:${folder}`, ...(isRoot ? [] : ["--user", `${process.getuid?.()}`])],
  });
  await waitForHaproxy(id, socket);
  return { id, socket };
}

/** Returns when it answers; throws with its log when it has ended, or takes a minute. */
export async function waitForHaproxy(id: string, socket: string): Promise<void> {
  const answers = () =>
    askRuntime(socket, "show info").then(
      (answer) => answer.includes("Name: HAProxy"),
      () => false,
    );
  const hasEnded = async () => (await docker("inspect", "-f", "{{.State.Running}}", id)) === "false";
  const ended = await poll(
    "HAProxy answers",
    async () => ((await answers()) ? "up" : (await hasEnded()) && "ended"),
    60_000,
  );
  if (ended === "ended") throw new Error(`HAProxy did not come up:\n${await docker("logs", id)}`);
}

function haproxyConf(socket: string): string {
  return `
global
  stats socket ${socket} mode 660 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend https
  bind :443 ssl strict-sni crt-list ${join(socket, "..", "crt-list.txt")}
  http-request return status 200 content-type text/plain string ok
`;
}
