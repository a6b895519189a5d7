import { request } from "node:http";
import { resolve } from "node:path";
import type { DockerEngine } from "../../src/ports/index.ts";
import { docker } from "./docker-command.ts";
import { IMAGES } from "./images.ts";
import { poll } from "./poll.ts";

const EXAMPLE = new URL("../../docs/examples/socket-proxy/", import.meta.url).pathname;
const SOCKET = process.env["DOCKER_SOCKET"] ?? "/var/run/docker.sock";

/** The example's HAProxy, with one of its two files, before the real engine. */
export type SocketProxy = {
  readonly address: DockerEngine;
  /** Asks for `METHOD path` as it stands; gives the status and the body. */
  ask(
    call: string,
    body?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: string }>;
  /** The requests that it has refused so far, as its log has them. */
  refused(): Promise<string[]>;
};

/** Starts it for a project, in which its container is; the project's end is its own. `file`: one of the example's, or a path. */
export async function startSocketProxy(
  project: string,
  file: string,
  image: string = IMAGES.haproxy,
): Promise<SocketProxy> {
  const id = await docker(
    ..."run -d --user 0 --read-only --cap-drop ALL --security-opt no-new-privileges:true".split(" "),
    ..."-p 127.0.0.1::2375 --label".split(" "),
    `com.docker.compose.project=${project}`,
    "--env",
    `PROJECT=${project}`,
    "--volume",
    `${resolve(EXAMPLE, file)}:/usr/local/etc/haproxy/haproxy.cfg:ro`,
    "--volume",
    `${SOCKET}:/var/run/docker.sock`,
    image,
  );
  const port = Number((await docker("port", id, "2375")).split("\n")[0]?.split(":").at(-1));
  const proxy: SocketProxy = {
    address: { kind: "tcp", host: "127.0.0.1", port },
    ask: (call, body = "", headers = {}) => ask(port, call, { body, headers }),
    refused: async () => {
      const lines = (await docker("logs", id)).split("\n").filter((line) => line.includes(" 403 "));
      return lines.flatMap((line) => /"([A-Z]+ \S+)/.exec(line)?.[1] ?? []);
    },
  };
  await poll("the proxy answers", async () => (await proxy.ask("GET /_ping").catch(() => undefined))?.status === 200);
  return proxy;
}

type Sent = { readonly body: string; readonly headers: Readonly<Record<string, string>> };

// Not by fetch, which puts paths in order.
function ask(port: number, call: string, { body, headers }: Sent): Promise<{ status: number; body: string }> {
  const [method = "", path = ""] = call.split(" ");
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const length = { "Content-Length": Buffer.byteLength(body) };
  const sent = request({ host: "127.0.0.1", port, method, path, headers: { ...length, ...headers }, agent: false });
  sent.on("response", (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    response.on("error", reject);
  });
  sent.on("error", reject).end(body);
  return promise;
}
