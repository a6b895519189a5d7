import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { buffer } from "node:stream/consumers";

/** What is asked of the engine; `command` is that of an exec, at each of its requests. */
export type Asked = { readonly method: string; readonly path: string; readonly command: string | undefined };

/** A moment on the line: before a request reaches the engine, or when the engine has answered and nobody knows yet. */
export type Moment = { readonly side: "before" | "answered"; readonly is: (asked: Asked) => boolean };

/** What becomes of the requests that ask for or start a command: all others pass. */
export type Treatment = "pass" | "refuse" | "hang";

type Wait = Moment & { readonly come: () => void; readonly gone: Promise<void> };

/** A line from the sidecar to its engine, this machine's unless another is named, that can be held at a moment, cut, and made to fail. */
export class EngineLine {
  readonly #socketPath: string;
  readonly #enginePath: string;
  readonly #commands = new Map<string, string>();
  readonly #open = new Set<Socket>();
  #server: ReturnType<typeof createServer> | undefined;
  #wait: Wait | undefined;
  #treatment: Treatment = "pass";

  constructor(socketPath: string, enginePath = "/var/run/docker.sock") {
    this.#socketPath = socketPath;
    this.#enginePath = enginePath;
  }

  /** Puts the socket there, unless it is. */
  async begin(): Promise<void> {
    if (this.#server) return;
    await mkdir(dirname(this.#socketPath), { recursive: true });
    const server = createServer((request, response) => {
      // Who has gone needs no answer, and an engine that can't answer has none.
      this.#pass(request, response).catch(() => response.destroy());
    });
    server.on("connection", (socket) => {
      this.#open.add(socket);
      socket.on("close", () => this.#open.delete(socket));
    });
    await new Promise<void>((resolve) => void server.listen(this.#socketPath, resolve));
    this.#server = server;
  }

  /** Takes the socket away, and cuts what goes over it. */
  async end(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.#cut();
    await closed;
  }

  /** From now on. What hangs is cut when that ends. */
  treat(treatment: Treatment): void {
    if (this.#treatment === "hang" && treatment !== "hang") this.#cut();
    this.#treatment = treatment;
  }

  /** Holds the next request at a moment, once: `come` resolves when it is there, and `go` lets it go on. */
  hold(moment: Moment): { readonly come: Promise<void>; readonly go: () => void } {
    const [come, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#wait = { ...moment, come: come.resolve, gone: gone.promise };
    const go = () => {
      this.#wait = undefined;
      gone.resolve();
    };
    return { come: come.promise, go };
  }

  #cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const asked = this.#read(request, body);
    await this.#meet("before", asked);
    // Who has died meanwhile asks for nothing any more.
    if (request.socket.destroyed || this.#isFailed(asked, response)) return;
    const answer = await forward(this.#enginePath, { request, body, response });
    const isCreated = asked.command !== undefined && asked.path.startsWith("/containers/");
    const whole = isCreated ? await buffer(answer) : undefined;
    if (whole && asked.command !== undefined) this.#commands.set(idOf(whole), asked.command);
    await this.#meet("answered", asked);
    if (this.#isFailed(asked, response)) return;
    const { statusCode = 502, headers } = answer;
    response.writeHead(statusCode, headers);
    response.flushHeaders();
    if (whole) response.end(whole);
    else answer.pipe(response);
  }

  #read({ method = "", url = "/" }: IncomingMessage, body: Buffer): Asked {
    // As clients ask for a version of the API or not.
    const path = new URL(url, "http://engine").pathname.replace(/^\/v[\d.]+(?=\/)/, "");
    const [, ofContainer] = /^\/containers\/([^/]+)\/exec$/.exec(path) ?? [];
    const [, execId] = /^\/exec\/([^/]+)\//.exec(path) ?? [];
    if (execId !== undefined) return { method, path, command: this.#commands.get(execId) };
    if (ofContainer === undefined) return { method, path, command: undefined };
    const { Cmd } = JSON.parse(body.toString()) as { readonly Cmd: readonly string[] };
    return { method, path, command: Cmd.join(" ") };
  }

  async #meet(side: Moment["side"], asked: Asked): Promise<void> {
    const wait = this.#wait;
    if (wait?.side !== side || !wait.is(asked)) return;
    this.#wait = undefined;
    wait.come();
    await wait.gone;
  }

  #isFailed({ method, command }: Asked, response: ServerResponse): boolean {
    if (method !== "POST" || command === undefined || this.#treatment === "pass") return false;
    if (this.#treatment === "refuse") response.writeHead(403).end("not allowed here");
    return true;
  }
}

function idOf(created: Buffer): string {
  const { Id = "" } = JSON.parse(created.toString()) as { readonly Id?: string };
  return Id;
}

type Exchange = { readonly request: IncomingMessage; readonly body: Buffer; readonly response: ServerResponse };

function forward(socketPath: string, { request, body, response }: Exchange): Promise<IncomingMessage> {
  const { method, url: path, headers } = request;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const forwarded = ask({ socketPath, method, path, headers, agent: false }, (answer) => {
    answer.on("error", () => response.destroy());
    resolve(answer);
  });
  response.on("close", () => forwarded.destroy());
  forwarded.on("error", reject).end(body);
  return promise;
}
