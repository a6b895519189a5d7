import { chmod, chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HandMadeProject } from "./compose-nginx.ts";
import { docker } from "./docker-command.ts";
import { askRuntime } from "./haproxy-contract.ts";
import { poll } from "./poll.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A real HAProxy that runs with no certificate of ours yet. */
export type HaproxyContainer = { readonly id: string; readonly socket: string };

/** What an operator has besides. */
export type OwnConfiguration = {
  /** The file own.pem in the folder. */
  readonly pem?: string;
  /** The crt-list's lines. */
  readonly lines?: (folder: string) => string;
  /** More of the global section, and sections behind it. */
  readonly global?: string;
  /** What stands on the bind line by default. */
  readonly strict?: string;
};

// The user of the official images.
const HAPROXY_UID = 99;

/** Starts it in a project, with a folder that both see by one path, and returns when it answers; the project's end is its own. */
export async function startHaproxy(
  project: HandMadeProject,
  image: string,
  own: OwnConfiguration = {},
): Promise<HaproxyContainer> {
  const folder = await temporaryFolder();
  const socket = join(folder, "haproxy.sock");
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(folder, HAPROXY_UID, HAPROXY_UID);
  else await chmod(folder, 0o755);
  await writeFile(join(folder, "haproxy.cfg"), haproxyConf(folder, own));
  await writeFile(join(folder, "crt-list.txt"), own.lines?.(folder) ?? "# none yet\n");
  if (own.pem !== undefined) await writeFile(join(folder, "own.pem"), own.pem);
  const id = await project.start({
    image,
    service: "haproxy",
    labels: { "cert-sidecar.deploy": `haproxy:${socket}` },
    argv: ["haproxy", "-W", "-db", "-f", join(folder, "haproxy.cfg")],
    more: ["--volume", `${folder}:${folder}`, ...(isRoot ? [] : ["--user", `${process.getuid?.()}`])],
  });
  await waitForHaproxy(id, socket);
  return { id, socket };
}

/** Returns when it answers; throws with its log when it has ended, or takes a minute. */
export async function waitForHaproxy(id: string, socket: string): Promise<void> {
  const answers = async () => (await askRuntime(socket, "show info")).includes("Name: HAProxy");
  const hasEnded = async () => (await docker("inspect", "-f", "{{.State.Running}}", id)) === "false";
  const state = async () => ((await answers().catch(() => false)) ? "up" : (await hasEnded()) && "ended");
  const is = await poll("HAProxy answers", state, 60_000);
  if (is === "ended") throw new Error(`HAProxy did not come up:\n${await docker("logs", id)}`);
}

function haproxyConf(folder: string, { global = "", strict = "strict-sni" }: OwnConfiguration): string {
  return `
global
  stats socket ${folder}/haproxy.sock mode 660 level admin
${global}
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend https
  bind :443 ssl ${strict} crt-list ${folder}/crt-list.txt
  http-request return status 200 content-type text/plain string ok
`;
}
