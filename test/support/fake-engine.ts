import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "node:net";

/** A server in the place of the Docker engine that can fail as the real one can't be made to. */
export type FakeEngine = {
  /** Where it listens. */
  readonly address: { readonly kind: "socket"; readonly socketPath: string };
  readonly socketPath: string;
  /** The requests so far, like `GET /containers/json`. */
  readonly requests: string[];
  connections(): number;
  close(): Promise<void>;
};

/** Answers one request; what it leaves open stays open. */
export type EngineHandler = (path: string, response: ServerResponse, request: IncomingMessage) => void;

/** Starts a fake engine on a socket of its own. */
export async function startFakeEngine(handler: EngineHandler): Promise<FakeEngine> {
  const folder = await mkdtemp(join(tmpdir(), "fake-engine-"));
  const socketPath = join(folder, "docker.sock");
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://engine").pathname;
    requests.push(`${request.method} ${path}`);
    request.resume();
    request.on("end", () => handler(path, response, request));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    address: { kind: "socket", socketPath },
    socketPath,
    requests,
    connections: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Answers with a JSON document. */
export function answer(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

/** What the engine says of a container of a compose project, in the parts that are read. */
export function inspectedContainer(options: {
  readonly id: string;
  readonly project?: string;
  readonly service?: string;
  readonly number?: string;
  readonly status?: string;
  readonly env?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly networkMode?: string;
  readonly networks?: Readonly<Record<string, object>>;
  readonly stopSignal?: string;
  readonly restart?: string;
  readonly startedAt?: Date;
  readonly health?: string;
}) {
  return {
    Id: options.id,
    Name: `/${options.project ?? "shop"}-${options.service ?? "nginx"}-${options.number ?? "1"}`,
    Image: "sha256:0",
    State: {
      Status: options.status ?? "running",
      ExitCode: 0,
      StartedAt: (options.startedAt ?? new Date(0)).toISOString(),
      Health: options.health === undefined ? undefined : { Status: options.health },
    },
    Config: {
      StopSignal: options.stopSignal,
      Env: options.env ?? [],
      Labels: {
        "com.docker.compose.project": options.project ?? "shop",
        "com.docker.compose.service": options.service ?? "nginx",
        "com.docker.compose.container-number": options.number ?? "1",
        "com.docker.compose.oneoff": "False",
        ...options.labels,
      },
    },
    HostConfig: {
      NetworkMode: options.networkMode ?? "shop_default",
      RestartPolicy: { Name: options.restart ?? "no" },
    },
    NetworkSettings: { Networks: options.networks ?? { shop_default: { NetworkID: "n1", IPAddress: "127.0.0.1" } } },
  };
}
